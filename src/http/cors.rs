//! Cross-origin calls from the pages that the operator listed.

use poem::http::HeaderName;
use poem::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, ORIGIN};
use poem::middleware::{Cors, CorsEndpoint};
use poem::{Endpoint, EndpointExt, Request, Response};

use super::request_id::X_REQUEST_ID;

/// Sends calls from listed origins through poem's [`Cors`], and all others past it: that refuses what it does not
/// know, even a page of this very server, while a browser needs no more than the headers to be missing.
pub(crate) struct ListedOrigins<E> {
    inner: std::sync::Arc<E>,
    with_cors: CorsEndpoint<std::sync::Arc<E>>,
    origins: Vec<HeaderValue>,
}

impl<E: Endpoint> ListedOrigins<E> {
    pub(crate) fn new(inner: E, origins: &[String]) -> Self {
        let inner = std::sync::Arc::new(inner);
        let cors = Cors::new()
            .allow_origins(origins)
            .allow_methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
            .allow_headers([AUTHORIZATION, CONTENT_TYPE, X_REQUEST_ID])
            .allow_headers(["x-client-id", "x-client-secret"].map(HeaderName::from_static))
            .expose_headers([X_REQUEST_ID, HeaderName::from_static("retry-after")])
            .allow_credentials(false)
            .max_age(3600);
        let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
        Self { with_cors: inner.clone().with(cors), inner, origins }
    }
}

impl<E: Endpoint> Endpoint for ListedOrigins<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        use poem::IntoResponse;
        match request.headers().get(ORIGIN) {
            Some(origin) if self.origins.contains(origin) => self.with_cors.call(request).await,
            _ => Ok(self.inner.call(request).await?.into_response()),
        }
    }
}
