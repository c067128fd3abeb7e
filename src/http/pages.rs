//! Pages and files beside the API: the spec, Swagger UI, and one page for each problem. All embedded; no page needs
//! another host. Their links are relative: a proxy may have taken a path off the front.

use std::sync::LazyLock;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::stream;
use poem::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION,
};
use poem::http::{HeaderValue, Method, StatusCode};
use poem::web::Path;
use poem::{Body, Endpoint, Request, Response, Route, handler};
use poem_openapi::OpenApiService;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::health::{livez, readyz};
use super::problem::{Code, Problem};
use super::routes::Methods;
use super::spec;
use crate::kernel::public_url::PublicUrl;

/// Neither scripts nor styles may stand in the page. Swagger UI styles its elements by script, which needs no permission.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// How much of a file is handed on at a time.
const PIECE: usize = 16 * 1024;

/// What we add to Swagger UI.
const SCRIPTS: [(&str, &str); 5] = [
    ("/docs/accessible.js", include_str!("docs/accessible.js")),
    ("/docs/credentials.js", include_str!("docs/credentials.js")),
    ("/docs/operations.js", include_str!("docs/operations.js")),
    ("/docs/start.js", include_str!("docs/start.js")),
    ("/docs/welcome.js", include_str!("docs/welcome.js")),
];

/// Everything beside the API.
pub(crate) fn pages(public_url: &PublicUrl) -> Route {
    let document = |write: fn(&Value) -> String| {
        let public_url = public_url.clone();
        move || write(&spec::served_at(&public_url))
    };
    let mut route = Route::new();
    for (path, content) in SCRIPTS {
        route = route.at(path, get(File::new(SCRIPT, move || content)));
    }
    route
        .at("/", get(redirect_to_docs))
        .at("/docs", get(redirect_to_docs))
        .at("/docs/", get(File::new("text/html; charset=utf-8", || include_str!("docs/index.html"))))
        .at("/docs/style.css", get(File::new(STYLE, || include_str!("docs/style.css"))))
        .at("/docs/swagger-ui.css", get(File::new(STYLE, || of_swagger_ui("style"))))
        .at("/docs/swagger-ui.js", get(File::new(SCRIPT, || of_swagger_ui("script"))))
        .at("/openapi.json", get(File::new("application/json", document(spec::to_json))))
        .at("/openapi.yaml", get(File::new("application/yaml", document(spec::to_yaml))))
        .at("/problems/:code", get(explain))
        .at("/livez", get(livez))
        .at("/readyz", get(readyz))
}

fn get(endpoint: impl Endpoint + 'static) -> Methods<poem::endpoint::BoxEndpoint<'static>> {
    use poem::EndpointExt;
    Methods::new([(Method::GET, endpoint.map_to_response().boxed())])
}

#[handler]
fn redirect_to_docs() -> Response {
    Response::builder().status(StatusCode::TEMPORARY_REDIRECT).header(LOCATION, "docs/").finish()
}

/// A file that is made once and served many times; a browser that has it hears 304.
///
/// It is made when the first caller asks for it: most servers are never asked for most of them, and making the document
/// takes as much memory as all else that an idle server holds.
struct File {
    content_type: &'static str,
    made: LazyLock<Made, Box<dyn FnOnce() -> Made + Send>>,
}

struct Made {
    etag: HeaderValue,
    content: Bytes,
}

impl File {
    fn new<C: Into<Bytes>>(content_type: &'static str, make: impl FnOnce() -> C + Send + 'static) -> Self {
        Self { content_type, made: LazyLock::new(Box::new(|| Made::new(make().into()))) }
    }
}

impl Made {
    fn new(content: Bytes) -> Self {
        let tag = format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(&content)[..16]));
        let etag = HeaderValue::from_str(&tag).expect("a quoted hex number is a header value");
        Self { etag, content }
    }
}

impl Endpoint for File {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let Made { etag, content } = &*self.made;
        let answer = Response::builder()
            .header(ETAG, etag)
            .header(CACHE_CONTROL, "no-cache")
            .header(CONTENT_SECURITY_POLICY, DOCS_POLICY);
        if request.headers().get(IF_NONE_MATCH) == Some(etag) {
            return Ok(answer.status(StatusCode::NOT_MODIFIED).finish());
        }
        let answer = answer.header(CONTENT_TYPE, self.content_type).header(CONTENT_LENGTH, content.len());
        Ok(answer.body(in_pieces(content.clone())))
    }
}

/// A body that is handed on piece by piece, so that the system is handed little more at a time than it has room for: of one
/// long piece it would take more for a reader who does not read.
fn in_pieces(content: Bytes) -> Body {
    let starts = (0..content.len()).step_by(PIECE);
    let pieces = starts.map(move |start| content.slice(start..content.len().min(start + PIECE)));
    Body::from_bytes_stream(stream::iter(pieces.map(Ok::<_, std::io::Error>)))
}

/// Swagger UI's style sheet (`style`) or its script, as poem-openapi embeds them in a page of its own.
fn of_swagger_ui(element: &str) -> String {
    let page = OpenApiService::new((), "", "").swagger_ui_html();
    let start = format!("<{element} charset=\"UTF-8\">");
    let (_, rest) = page.split_once(&start).expect("poem-openapi's page has this tag");
    rest.split_once(&format!("</{element}>")).expect("poem-openapi's page closes this tag").0.to_owned()
}

/// What a problem's `type` leads to.
#[handler]
fn explain(Path(code): Path<String>) -> poem::Result<Response> {
    let code = Code::ALL.iter().find(|known| known.as_str() == code).ok_or(Problem::new(Code::NotFound))?;
    let (name, title, status) = (code.as_str(), code.title(), code.status());
    let explanation = code.explanation();
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – AI DocuMines accounts</title>\n\
         <style>:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }} \
         body {{ max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n<p><code>{name}</code>, status {status}</p>\n<p>{explanation}</p>\n\
         <p><a href=\"../docs/\">The API's documentation</a></p>\n</body>\n</html>\n"
    );
    Ok(Response::builder()
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .header(CONTENT_SECURITY_POLICY, PAGE_POLICY)
        .body(page))
}
