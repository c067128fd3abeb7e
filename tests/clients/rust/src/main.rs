use std::error::Error;

use documines_auth_client::types::{
    LoginBody, Problem, RefreshTokenBody, RequestPasswordResetBody, ResetPasswordBody, SignupBody,
    UpdateProfileBody,
};
use documines_auth_client::{ByteStream, Client, Error as CallError};
use futures_util::TryStreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

const EMAIL: &str = "john_doe@aidocumines.com";

/// The generator leaves credentials to the HTTP client that it is given.
fn client(base: &str, headers: HeaderMap) -> Result<Client, Box<dyn Error>> {
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    Ok(Client::new_with_client(base, http))
}

/// progenitor types answers of `application/json` alone; the bytes of any other are the caller's to read.
async fn problem(error: CallError<ByteStream>) -> Result<Problem, Box<dyn Error>> {
    let CallError::ErrorResponse(response) = error else { return Err("not an answer of ours".into()) };
    let body: Vec<u8> = response.into_inner_stream().try_fold(Vec::new(), async |mut all, part| {
        all.extend_from_slice(&part);
        Ok(all)
    }).await?;
    Ok(serde_json::from_slice(&body)?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let base = std::env::args().nth(1).ok_or("give the server's URL")? + "/api/v1/auth";
    let anybody = client(&base, HeaderMap::new())?;

    let signed_up = anybody
        .signup(&SignupBody {
            username: Some("john_doe".parse()?),
            email: EMAIL.parse()?,
            password: "SecurePass#456".parse()?,
            organisation: "AI DocuMines User".parse()?,
            contact_name: "John Doe".parse()?,
            contact_phone: "+27 444 555 666".parse()?,
            contact_email: Some(EMAIL.parse()?),
            address: Some("456 Doe Street, Cape Town".parse()?),
            industry: Some("AI Research".parse()?),
            use_case: Some("Testing user management and admin privileges.".parse()?),
        })
        .await?
        .into_inner();
    assert_eq!(signed_up.message.as_str(), "User registered successfully");
    assert_eq!((signed_up.last_login, signed_up.x2fa_enabled), (None, false));
    assert_eq!(signed_up.user_preferences.len(), 2);

    let mut credentials = HeaderMap::new();
    credentials.insert("X-Client-ID", HeaderValue::from_str(signed_up.client_id.as_str())?);
    let named = client(&base, credentials.clone())?;
    credentials.insert("X-Client-Secret", HeaderValue::from_str(signed_up.client_secret.as_str())?);
    let with_client = client(&base, credentials.clone())?;
    let caller = |token: &str| -> Result<Client, Box<dyn Error>> {
        let mut headers = credentials.clone();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
        client(&base, headers)
    };

    let login = LoginBody { email: EMAIL.parse()?, password: "SecurePass#456".parse()? };
    let first = with_client.login(&login).await?.into_inner();
    let user = caller(first.access_token.as_str())?;
    let profile = user.get_profile().await?.into_inner();
    assert_eq!(profile.address.as_ref().map(|address| address.as_str()), Some("456 Doe Street, Cape Town"));

    let update = UpdateProfileBody {
        contact_name: Some("John Updated".parse()?),
        contact_phone: Some("+27 444 555 777".parse()?),
        address: Some("789 Updated Street, Cape Town".parse()?),
        ..UpdateProfileBody::default()
    };
    let updated = user.update_profile(&update).await?;
    assert_eq!(updated.message.as_str(), "Profile updated successfully");
    assert_eq!(user.get_profile().await?.contact_name.as_str(), "John Updated");

    let request = RequestPasswordResetBody { email: EMAIL.parse()? };
    let requested = named.request_password_reset(&request).await?.into_inner();
    let token = requested.reset_token.ok_or("the answer carries a token")?;
    let reset = ResetPasswordBody { token: token.parse()?, new_password: "NewSecurePass#789".parse()?, new_client: None };
    let done = named.reset_password(&reset).await?;
    assert_eq!(done.message.as_str(), "Password reset successful");

    let refused = user.get_profile().await.err().ok_or("the token from before the reset is refused")?;
    assert_eq!(refused.status().map(|status| status.as_u16()), Some(401));
    assert_eq!(problem(refused).await?.code.as_str(), "invalid_token");

    let login = LoginBody { email: EMAIL.parse()?, password: "NewSecurePass#789".parse()? };
    let second = with_client.login(&login).await?.into_inner();
    let refresh = RefreshTokenBody { refresh_token: second.refresh_token.parse()? };
    let third = with_client.refresh_token(&refresh).await?.into_inner();
    assert_ne!(third.access_token, second.access_token);
    let profile = caller(third.access_token.as_str())?.get_profile().await?.into_inner();
    assert_eq!(profile.email.as_str(), EMAIL);
    Ok(())
}
