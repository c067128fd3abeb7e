use documines_auth::http::problem::Code;
use documines_auth::http::spec;
use documines_auth::metrics;
use poem::http::Method;
use url::Url;

use crate::support::answer::Answer;
use crate::support::schema::document;
use crate::support::{TestApp, days};

async fn get(app: &TestApp, path: &str) -> Answer {
    app.anon().page(Method::GET, path).send().await
}

const FILES: [(&str, &str); 11] = [
    ("/docs/", "text/html; charset=utf-8"),
    ("/docs/accessible.js", "text/javascript; charset=utf-8"),
    ("/docs/credentials.js", "text/javascript; charset=utf-8"),
    ("/docs/operations.js", "text/javascript; charset=utf-8"),
    ("/docs/start.js", "text/javascript; charset=utf-8"),
    ("/docs/welcome.js", "text/javascript; charset=utf-8"),
    ("/docs/style.css", "text/css; charset=utf-8"),
    ("/docs/swagger-ui.js", "text/javascript; charset=utf-8"),
    ("/docs/swagger-ui.css", "text/css; charset=utf-8"),
    ("/openapi.json", "application/json"),
    ("/openapi.yaml", "application/yaml"),
];

#[tokio::test]
async fn the_root_leads_to_the_documentation() {
    let app = TestApp::start().await;
    for path in ["/", "/docs"] {
        let answer = get(&app, path).await;
        // Relative: a proxy may have taken a path off.
        assert_eq!((answer.status.as_u16(), answer.header("location")), (307, Some("docs/")), "{path}");
    }
}

#[tokio::test]
async fn each_file_has_its_media_type_and_a_policy_without_outside_hosts() {
    let app = TestApp::start().await;
    for (path, media_type) in FILES {
        let answer = get(&app, path).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some(media_type)), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(!answer.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn the_documentation_loads_nothing_from_another_host() {
    let app = TestApp::start().await;
    for path in linked(&app, "http://localhost:8020").await {
        assert!(path.starts_with('/'), "{path}");
        assert_eq!(get(&app, &path).await.status, 200, "{path}");
    }
    assert!(!get(&app, "/docs/swagger-ui.css").await.text().contains("url(http"));
}

/// What the documentation, its files and a problem's page lead to, in a browser that finds the server at `public_url`: the
/// path behind that, or the whole URL where it is another.
async fn linked(app: &TestApp, public_url: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in [
        "/docs/",
        "/docs/start.js",
        "/docs/welcome.js",
        "/docs/credentials.js",
        "/docs/style.css",
        "/problems/internal",
    ] {
        let page = get(app, path).await;
        let text = page.text();
        let marks = ["href=\"", "src=\"", "from \"", "url(\"", "URL(\""];
        let starts = marks.iter().flat_map(|mark| text.match_indices(mark).map(|(at, mark)| at + mark.len()));
        let links: Vec<&str> = starts.filter_map(|start| text[start..].split('"').next()).collect();
        let base = Url::parse(&format!("{public_url}{path}")).unwrap();
        let urls =
            links.iter().filter(|link| !link.starts_with("data:")).map(|link| base.join(link).unwrap().to_string());
        found.extend(urls.map(|url| url.strip_prefix(public_url).map(str::to_owned).unwrap_or(url)));
    }
    assert!(found.iter().any(|path| path == "/openapi.json") && found.len() > 10, "{found:?}");
    found
}

#[tokio::test]
async fn behind_a_proxy_that_takes_a_path_off_every_link_leads_to_where_it_should() {
    let public_url = "https://example.com/accounts";
    let app = TestApp::start_with(&[&format!("--public-url={public_url}/")]).await;
    for path in linked(&app, public_url).await {
        assert!(path.starts_with('/'), "{path} is outside of {public_url}");
        assert_eq!(get(&app, &path).await.status, 200, "{path}");
    }
    for path in ["/", "/docs"] {
        let location = get(&app, path).await.header("location").unwrap().to_owned();
        let target = Url::parse(&format!("{public_url}{path}")).unwrap().join(&location).unwrap();
        assert_eq!(target.as_str(), format!("{public_url}/docs/"), "{path}");
    }
    let document = get(&app, "/openapi.json").await;
    assert_eq!(get(&app, "/openapi.yaml").await.text(), spec::to_yaml(&document.json()));
    let server = document.json()["servers"][0]["url"].as_str().unwrap().to_owned();
    // From the server's own address, too.
    for front in [public_url, "http://127.0.0.1:8020"] {
        let base = Url::parse(&format!("{front}/openapi.json")).unwrap();
        assert_eq!(base.join(&server).unwrap().as_str(), format!("{front}/api/v1/auth"));
    }
    assert_eq!(document.json()["externalDocs"]["url"], format!("{public_url}/docs/"));
    assert!(document.text().contains(&format!("curl {public_url}/api/v1/auth/profile/")));
    assert!(!document.text().contains("localhost:8020"));
}

#[tokio::test]
async fn a_browser_that_has_a_file_hears_304() {
    let app = TestApp::start().await;
    for (path, _) in FILES {
        let etag = get(&app, path).await.header("etag").unwrap().to_owned();
        let again = app.anon().page(Method::GET, path).header("If-None-Match", &etag).send().await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), Some(etag.as_str()));
        let other = app.anon().page(Method::GET, path).header("If-None-Match", "\"other\"").send().await;
        assert_eq!(other.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_served_document_is_the_printed_one() {
    let app = TestApp::start().await;
    assert_eq!(get(&app, "/openapi.json").await.text(), spec::to_json(document()));
    assert_eq!(get(&app, "/openapi.yaml").await.text(), spec::to_yaml(document()));
}

#[tokio::test]
async fn every_code_has_a_page_that_explains_it() {
    let app = TestApp::start().await;
    for code in Code::ALL {
        let page = get(&app, &format!("/problems/{}", code.as_str())).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.text().contains(code.title()) && page.text().contains(code.explanation()), "{}", page.text());
        assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    }
    get(&app, "/problems/nothing").await.refused(404, "not_found");
    get(&app, "/problems/%3Cscript%3E").await.refused(404, "not_found");
}

#[tokio::test]
async fn the_server_is_alive_and_ready_while_its_database_answers() {
    let app = TestApp::start().await;
    assert_eq!(get(&app, "/livez").await.status, 200);
    assert_eq!(get(&app, "/readyz").await.status, 200);
    app.app.database().clone().close().await.unwrap();
    assert_eq!(get(&app, "/livez").await.status, 200);
    get(&app, "/readyz").await.refused(503, "unavailable");
}

#[tokio::test]
async fn the_server_is_not_ready_while_a_background_job_rests_after_a_panic() {
    let app = TestApp::start_with(&["--metrics-listen=127.0.0.1:0"]).await;
    let state = app.app.clone();
    let supervised = tokio::spawn(async move {
        let job = || async { panic!("as a mistake of ours would") };
        state.jobs.supervise("test", days(1), job).await;
    });
    while app.app.jobs.one_that_is_down().is_none() {
        tokio::task::yield_now().await;
    }
    get(&app, "/readyz").await.refused(503, "unavailable");
    assert_eq!(get(&app, "/livez").await.status, 200);
    let metrics = metrics::render(&app.app, app.app.metrics.as_ref().unwrap()).await;
    assert!(metrics.contains("documines_auth_job_panics_total{job=\"test\"} 1"), "{metrics}");
    supervised.abort();
}

#[tokio::test]
async fn pages_take_get_and_head_alone() {
    let app = TestApp::start().await;
    for path in ["/", "/docs/", "/openapi.json", "/livez", "/readyz", "/problems/internal"] {
        let answer = app.anon().page(Method::POST, path).send().await;
        answer.refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{path}");
        let head = app.anon().page(Method::HEAD, path).send().await;
        assert!(head.status.as_u16() < 400, "{path}");
    }
}
