//! Somebody who calls: with the credentials that they hold, and one function an operation.

use documines_auth::settings::Switch;
use poem::http::header::HOST;
use poem::http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::answer::Answer;
use super::app::TestApp;
use super::contract;

/// A caller with their credentials.
#[derive(Clone)]
pub(crate) struct Caller<'a> {
    app: &'a TestApp,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<String>,
    pub(crate) authorization: Option<String>,
    /// What a proxy says that the call comes from.
    pub(crate) source: Option<String>,
}

/// Where the operations are.
pub(crate) const BASE: &str = "/api/v1/auth";

impl<'a> Caller<'a> {
    pub(crate) fn anon(app: &'a TestApp) -> Self {
        Self { app, client_id: None, client_secret: None, authorization: None, source: None }
    }

    /// The same caller at another server.
    pub(crate) fn at<'b>(&self, app: &'b TestApp) -> Caller<'b> {
        Caller { app, ..self.clone() }
    }

    pub(crate) fn with_client(&self, id: &str, secret: &str) -> Self {
        self.with_client_id(id).with_client_secret(secret)
    }

    pub(crate) fn with_client_id(&self, id: &str) -> Self {
        Self { client_id: Some(id.to_owned()), ..self.clone() }
    }

    pub(crate) fn with_client_secret(&self, secret: &str) -> Self {
        Self { client_secret: Some(secret.to_owned()), ..self.clone() }
    }

    pub(crate) fn with_bearer(&self, token: &str) -> Self {
        self.with_authorization(&format!("Bearer {token}"))
    }

    pub(crate) fn with_authorization(&self, value: &str) -> Self {
        Self { authorization: Some(value.to_owned()), ..self.clone() }
    }

    /// The same caller from that address, behind a proxy.
    pub(crate) fn from(&self, source: &str) -> Self {
        Self { source: Some(source.to_owned()), ..self.clone() }
    }

    pub(crate) fn without_client_id(&self) -> Self {
        Self { client_id: None, ..self.clone() }
    }

    pub(crate) fn without_client_secret(&self) -> Self {
        Self { client_secret: None, ..self.clone() }
    }

    pub(crate) fn without_bearer(&self) -> Self {
        Self { authorization: None, ..self.clone() }
    }

    /// The client id alone.
    pub(crate) fn named_only(&self) -> Self {
        self.without_client_secret().without_bearer()
    }

    pub(crate) async fn signup(&self, body: &Value) -> Answer {
        self.post("/signup/").json(body).send().await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/login/").json(&json!({"email": email, "password": password})).send().await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Answer {
        self.post("/refresh-token/").json(&json!({"refresh_token": refresh_token})).send().await
    }

    pub(crate) async fn get_profile(&self) -> Answer {
        self.get("/profile/").send().await
    }

    pub(crate) async fn update_profile(&self, body: &Value) -> Answer {
        self.call(Method::PUT, "/profile/update/").json(body).send().await
    }

    pub(crate) async fn request_reset(&self, email: &str) -> Answer {
        self.post("/password/reset/request/").json(&json!({"email": email})).send().await
    }

    pub(crate) async fn reset_password(&self, token: &str, new_password: &str) -> Answer {
        self.post("/password/reset/").json(&json!({"token": token, "new_password": new_password})).send().await
    }

    /// Resets the password and asks for a new client.
    pub(crate) async fn reset_to_new_client(&self, token: &str, new_password: &str) -> Answer {
        let body = json!({"token": token, "new_password": new_password, "new_client": true});
        self.post("/password/reset/").json(&body).send().await
    }

    pub(crate) async fn request_verification(&self, email: &str) -> Answer {
        self.post("/email/verify/request/").json(&json!({"email": email})).send().await
    }

    pub(crate) async fn verify_email(&self, token: &str) -> Answer {
        self.post("/email/verify/").json(&json!({"token": token})).send().await
    }

    pub(crate) async fn change_email(&self, email: &str, password: &str) -> Answer {
        self.post("/email/change/").json(&json!({"email": email, "password": password})).send().await
    }

    pub(crate) fn get(&self, path: &str) -> Call<'a> {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call<'a> {
        self.call(Method::POST, path)
    }

    /// A call of an operation: `path` stands below [`BASE`].
    pub(crate) fn call(&self, method: Method, path: &str) -> Call<'a> {
        self.page(method, &format!("{BASE}{path}"))
    }

    /// A call of anything.
    pub(crate) fn page(&self, method: Method, path: &str) -> Call<'a> {
        let call = Call {
            app: self.app,
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            is_beyond_the_schema: false,
        };
        let credentials = [
            ("X-Client-ID", &self.client_id),
            ("X-Client-Secret", &self.client_secret),
            ("Authorization", &self.authorization),
            ("X-Forwarded-For", &self.source),
        ];
        credentials.into_iter().fold(call, |call, (name, value)| match value {
            Some(value) => call.header(name, value),
            None => call,
        })
    }
}

/// A call on its way.
pub(crate) struct Call<'a> {
    app: &'a TestApp,
    pub(crate) method: Method,
    pub(crate) path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Vec<u8>,
    pub(crate) is_beyond_the_schema: bool,
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.push((name.parse().unwrap(), value));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The server takes more than its schema says: blanks around a value that it trims.
    pub(crate) fn beyond_the_schema(mut self) -> Self {
        self.is_beyond_the_schema = true;
        self
    }

    /// Whether limits are on where it goes.
    pub(crate) fn meets_limits(&self) -> bool {
        self.app.app.settings.rate_limits == Switch::On
    }

    /// Calls, and holds call and answer against the spec.
    pub(crate) async fn send(self) -> Answer {
        let mut request = poem::Request::builder().method(self.method.clone()).uri_str(&self.path);
        if !self.headers.iter().any(|(name, _)| *name == HOST) {
            request = request.header(HOST, "localhost:8020");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = self.app.call(request.body(self.body.clone())).await;
        let (parts, body) = response.into_parts();
        let body = body.into_vec().await.unwrap();
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        contract::hold(&self, &answer);
        answer
    }
}
