package main

import (
	"context"
	"errors"
	"log"
	"os"

	api "github.com/aidocumines/documines-auth-go"
)

const email = "john_doe@aidocumines.com"

func check(right bool, what string) {
	if !right {
		log.Fatal(what)
	}
}

// answered gives the answer of a call that has to succeed.
func answered[T, R any](answer T, _ R, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return answer
}

func main() {
	log.SetFlags(log.Lshortfile)
	configuration := api.NewConfiguration()
	configuration.Servers = api.ServerConfigurations{{URL: os.Args[1] + "/api/v1/auth"}}
	client := api.NewAPIClient(configuration)
	anybody := context.Background()

	body := api.NewSignupBody(email, "SecurePass#456", "AI DocuMines User", "John Doe", "+27 444 555 666")
	body.SetUsername("john_doe")
	body.SetContactEmail(email)
	body.SetAddress("456 Doe Street, Cape Town")
	body.SetIndustry("AI Research")
	body.SetUseCase("Testing user management and admin privileges.")
	signedUp := answered(client.AccountAPI.Signup(anybody).SignupBody(*body).Execute())
	check(signedUp.Message == "User registered successfully", "the answer to sign-up")
	check(!signedUp.LastLogin.IsSet() || signedUp.LastLogin.Get() == nil, "no login yet")
	check(*signedUp.UserPreferences["theme"].String == "light", "the preferences")

	withClient := context.WithValue(anybody, api.ContextAPIKeys, map[string]api.APIKey{
		"clientId":     {Key: signedUp.ClientId},
		"clientSecret": {Key: signedUp.ClientSecret},
	})
	login := func(password string) *api.TokenAnswer {
		return answered(client.SessionAPI.Login(withClient).LoginBody(*api.NewLoginBody(email, password)).Execute())
	}

	first := login("SecurePass#456")
	caller := context.WithValue(withClient, api.ContextAccessToken, first.AccessToken)
	profile := answered(client.ProfileAPI.GetProfile(caller).Execute())
	check(*profile.Address.Get() == "456 Doe Street, Cape Town", "the address")

	update := api.NewUpdateProfileBody()
	update.SetContactName("John Updated")
	update.SetContactPhone("+27 444 555 777")
	update.SetAddress("789 Updated Street, Cape Town")
	updated := answered(client.ProfileAPI.UpdateProfile(caller).UpdateProfileBody(*update).Execute())
	check(updated.Message == "Profile updated successfully", "the answer to the update")
	profile = answered(client.ProfileAPI.GetProfile(caller).Execute())
	check(profile.ContactName == "John Updated", "the updated name")

	request := api.NewRequestPasswordResetBody(email)
	requested := answered(client.PasswordAPI.RequestPasswordReset(withClient).RequestPasswordResetBody(*request).Execute())
	reset := api.NewResetPasswordBody(requested.GetResetToken(), "NewSecurePass#789")
	done := answered(client.PasswordAPI.ResetPassword(withClient).ResetPasswordBody(*reset).Execute())
	check(done.Message == "Password reset successful", "the answer to the reset")

	_, response, err := client.ProfileAPI.GetProfile(caller).Execute()
	var refused *api.GenericOpenAPIError
	check(errors.As(err, &refused) && response.StatusCode == 401, "the token from before the reset is refused")
	problem, isProblem := refused.Model().(api.Problem)
	check(isProblem && problem.Code == "invalid_token", "the refusal's code")

	second := login("NewSecurePass#789")
	renew := api.NewRefreshTokenBody(second.RefreshToken)
	third := answered(client.SessionAPI.RefreshToken(withClient).RefreshTokenBody(*renew).Execute())
	check(third.AccessToken != second.AccessToken, "another access token")
	caller = context.WithValue(withClient, api.ContextAccessToken, third.AccessToken)
	profile = answered(client.ProfileAPI.GetProfile(caller).Execute())
	check(profile.Email == email, "the profile by the renewed token")
}
