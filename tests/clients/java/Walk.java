import com.aidocumines.auth.AccountApi;
import com.aidocumines.auth.ApiClient;
import com.aidocumines.auth.ApiException;
import com.aidocumines.auth.PasswordApi;
import com.aidocumines.auth.ProfileApi;
import com.aidocumines.auth.SessionApi;
import com.aidocumines.auth.model.LoginBody;
import com.aidocumines.auth.model.Problem;
import com.aidocumines.auth.model.RefreshTokenBody;
import com.aidocumines.auth.model.RequestPasswordResetBody;
import com.aidocumines.auth.model.ResetPasswordBody;
import com.aidocumines.auth.model.SignupBody;
import com.aidocumines.auth.model.TokenAnswer;
import com.aidocumines.auth.model.UpdateProfileBody;
import java.util.Map;

final class Walk {
    private static final String EMAIL = "john_doe@aidocumines.com";

    private static void check(boolean right, String what) {
        if (!right) {
            throw new AssertionError(what);
        }
    }

    public static void main(String[] arguments) throws Exception {
        var client = new ApiClient();
        client.updateBaseUri(arguments[0] + "/api/v1/auth");
        var account = new AccountApi(client);
        var session = new SessionApi(client);
        var profiles = new ProfileApi(client);
        var password = new PasswordApi(client);

        var signedUp = account.signup(new SignupBody()
            .username("john_doe")
            .email(EMAIL)
            .password("SecurePass#456")
            .organisation("AI DocuMines User")
            .contactName("John Doe")
            .contactPhone("+27 444 555 666")
            .contactEmail(EMAIL)
            .address("456 Doe Street, Cape Town")
            .industry("AI Research")
            .useCase("Testing user management and admin privileges."));
        check(signedUp.getMessage().equals("User registered successfully"), "the answer to sign-up");
        check(!signedUp.get2faEnabled() && signedUp.getLastLogin() == null, "a new account");
        check(signedUp.getUserPreferences().get("theme").getString().equals("light"), "the preferences");

        // The generator leaves credentials to the caller.
        var named = Map.of("X-Client-ID", signedUp.getClientId());
        var withClient = Map.of("X-Client-ID", signedUp.getClientId(), "X-Client-Secret", signedUp.getClientSecret());

        var first = session.login(new LoginBody().email(EMAIL).password("SecurePass#456"), withClient);
        var caller = caller(withClient, first);
        check(profiles.getProfile(caller).getAddress().equals("456 Doe Street, Cape Town"), "the address");

        var updated = profiles.updateProfile(new UpdateProfileBody()
            .contactName("John Updated")
            .contactPhone("+27 444 555 777")
            .address("789 Updated Street, Cape Town"), caller);
        check(updated.getMessage().equals("Profile updated successfully"), "the answer to the update");
        check(profiles.getProfile(caller).getContactName().equals("John Updated"), "the updated name");

        var requested = password.requestPasswordReset(new RequestPasswordResetBody().email(EMAIL), named);
        var done = password.resetPassword(
            new ResetPasswordBody().token(requested.getResetToken()).newPassword("NewSecurePass#789"), named);
        check(done.getMessage().equals("Password reset successful"), "the answer to the reset");

        try {
            profiles.getProfile(caller);
            throw new AssertionError("the token from before the reset still opens the profile");
        } catch (ApiException refused) {
            var problem = client.getObjectMapper().readValue(refused.getResponseBody(), Problem.class);
            check(refused.getCode() == 401 && problem.getCode().equals("invalid_token"), "the refusal");
        }

        var second = session.login(new LoginBody().email(EMAIL).password("NewSecurePass#789"), withClient);
        var third = session.refreshToken(new RefreshTokenBody().refreshToken(second.getRefreshToken()), withClient);
        check(!third.getAccessToken().equals(second.getAccessToken()), "another access token");
        var profile = profiles.getProfile(caller(withClient, third));
        check(profile.getEmail().equals(EMAIL), "the profile by the renewed token");
    }

    private static Map<String, String> caller(Map<String, String> client, TokenAnswer tokens) {
        return Map.of(
            "X-Client-ID", client.get("X-Client-ID"),
            "X-Client-Secret", client.get("X-Client-Secret"),
            "Authorization", "Bearer " + tokens.getAccessToken());
    }
}
