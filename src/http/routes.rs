//! From operations to routes: each path with and without its trailing slash, and 405 for what it does not take.

use std::collections::HashMap;
use std::sync::Arc;

use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderValue, Method};
use poem::{Endpoint, Request, Response, Route};
use poem_openapi::OpenApi;

use super::problem::Problem;

/// Adds every operation of `api` to `route`, at its path below `base` with and without a slash at the end.
///
/// The paths are entered whole: a nested route would rewrite the URI of every request.
///
/// We do without poem-openapi's own router: it parses the query of every request for the few operations that read one
/// (ours do so themselves: [`super::query`]), and makes plain text of errors before we can give them our shape.
pub fn add_operations(route: Route, base: &str, api: impl OpenApi) -> Route {
    let mut table: HashMap<String, HashMap<Method, BoxEndpoint<'static>>> = HashMap::new();
    api.add_routes(&mut table);
    table.into_iter().fold(route, |route, (path, operations)| {
        let path = format!("{base}{}", path.trim_end_matches('/'));
        let operations = Arc::new(Methods::new(operations));
        route.at(&path, operations.clone()).at(format!("{path}/"), operations)
    })
}

/// The operations of one path, by method.
pub struct Methods<E> {
    operations: Vec<(Method, E)>,
    allow: HeaderValue,
}

impl<E: Endpoint> Methods<E> {
    /// These and no others; GET answers HEAD too.
    pub fn new(operations: impl IntoIterator<Item = (Method, E)>) -> Self {
        let operations: Vec<_> = operations.into_iter().collect();
        let mut names: Vec<&str> = operations.iter().map(|(method, _)| method.as_str()).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        names.sort_unstable();
        let allow = HeaderValue::from_str(&names.join(", ")).expect("the names of methods are a header value");
        Self { operations, allow }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Methods<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let is_head = *request.method() == Method::HEAD;
        let wanted = if is_head { &Method::GET } else { request.method() };
        let Some((_, operation)) = self.operations.iter().find(|(method, _)| method == wanted) else {
            return Err(Problem::method_not_allowed(self.allow.clone()).into());
        };
        operation.call(request).await
    }
}
