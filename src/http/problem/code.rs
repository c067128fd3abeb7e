//! Every code of an error, with its status and its explanation.

use poem::http::StatusCode;

macro_rules! codes {
    ($($variant:ident = $code:literal, $status:ident, $title:literal, $explanation:literal;)*) => {
        /// Everything that can be answered instead of what was asked for. Codes are stable; new ones may come.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $explanation] $variant,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, in snake_case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status that it comes with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// What it is called.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What it means and what to do about it.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)* }
            }
        }
    };
}

codes! {
    InvalidRequest = "invalid_request", BAD_REQUEST, "The request is not valid",
        "The body is not the JSON object that the operation takes, or the query has a parameter that it does not take. `errors` names each member or parameter and the rule that it breaks. Nothing was changed.";
    MalformedRequest = "malformed_request", BAD_REQUEST, "The request is not well-formed HTTP",
        "The header Host is missing, stands there twice, is no host, or differs from the host of the request's target; or the body has a Transfer-Encoding other than `chunked`.";
    WeakPassword = "weak_password", BAD_REQUEST, "The password is too weak",
        "The password is among the commonest, contains the account's e-mail address, username or contact name, or is too easy to guess from what else is known about the account. Choose a longer one, such as a few uncommon words. A reset token stays good for another try.";
    InvalidResetToken = "invalid_reset_token", BAD_REQUEST, "The reset token is not valid",
        "The reset token is unknown, was used, has expired, or a newer one was asked for. Ask for another.";
    InvalidVerificationToken = "invalid_verification_token", BAD_REQUEST, "The verification token is not valid",
        "The verification token is unknown, was used, has expired, or a newer one was asked for. Ask for another, or for the change of address again.";
    InvalidClient = "invalid_client", UNAUTHORIZED, "The client is not valid",
        "The client credentials are missing, unknown, revoked or wrong. Send what sign-up answered: `client_id` in the header X-Client-ID and, where the operation asks for it, `client_secret` in X-Client-Secret. Who has lost them resets the password with `new_client`, for which no client is needed.";
    InvalidToken = "invalid_token", UNAUTHORIZED, "The access token is not valid",
        "The access token is missing, unknown, expired, revoked, or was issued to another client. Refresh it or log in again.";
    InvalidCredentials = "invalid_credentials", UNAUTHORIZED, "The e-mail address or the password is wrong",
        "No account that this client serves has this e-mail address and this password. Which of them is wrong is not said. The client of another account does not serve; who has lost theirs resets the password with `new_client`.";
    InvalidRefreshToken = "invalid_refresh_token", UNAUTHORIZED, "The refresh token is not valid",
        "The refresh token is unknown, expired, was exchanged before, was issued to another client, or its session has ended. Log in again.";
    AccountInactive = "account_inactive", FORBIDDEN, "The account is not active",
        "The password is right, but the account may not log in. Ask the platform's support.";
    EmailNotVerified = "email_not_verified", FORBIDDEN, "The e-mail address is not verified",
        "The password is right, but this server lets in those alone whose e-mail address was verified. Use the token that came by mail, or ask for another.";
    WrongPassword = "wrong_password", FORBIDDEN, "The password is wrong",
        "This asks for the account's password once more, and it is another. The access token is good.";
    PasswordResetRequired = "password_reset_required", FORBIDDEN, "Only a password reset opens the login",
        "Too many logins with this e-mail address have failed in a row. Whoever owns it sets a new password: ask for a reset. The answer is the same whether or not there is an account.";
    NotFound = "not_found", NOT_FOUND, "Nothing is here",
        "There is no such path. The API's documentation lists those that there are.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed here",
        "The path exists, but not for this method. The header Allow lists those that it takes.";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The body did not arrive in time",
        "The body has to arrive within ten seconds. Send the request again.";
    EmailTaken = "email_taken", CONFLICT, "The e-mail address is taken",
        "There is an account with this e-mail address. If the address is yours, log in, or reset the account's password, for which you need no client: with `new_client` the answer to `resetPassword` has a client that logs you in.";
    UsernameTaken = "username_taken", CONFLICT, "The username is taken",
        "Somebody has this username, in this or another case. Choose another, or omit it.";
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "The body is too large",
        "A body may be 64 KiB long at most.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported",
        "Send JSON in UTF-8, with the header Content-Type: application/json.";
    UnsupportedContentEncoding = "unsupported_content_encoding", UNSUPPORTED_MEDIA_TYPE, "The body is compressed",
        "The header Content-Encoding says that the body is compressed, and the server unpacks none. Send it as it is.";
    UnknownHost = "unknown_host", MISDIRECTED_REQUEST, "The server does not answer under this host",
        "The request names a host that is not the server's. Call it by its public URL. The operator can list further hosts by --allowed-hosts.";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many tries",
        "This was tried too often of late. Try again after the seconds in Retry-After; the headers RateLimit-Policy and RateLimit tell the limit that was met.";
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side",
        "A mistake of ours. It is in the server's log under the request id.";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Too many passwords are being checked",
        "The server checks as many passwords at once as it can. Try again after the seconds in Retry-After.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The service is not available for the moment",
        "The database does not answer. Try again after the seconds in Retry-After.";
}
