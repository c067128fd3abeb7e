use documines_auth::http::problem::Code;
use documines_auth::http::spec;
use documines_auth::metrics;
use poem::http::Method;

use crate::support::answer::Answer;
use crate::support::schema::document;
use crate::support::{TestApp, days};

async fn get(app: &TestApp, path: &str) -> Answer {
    app.anon().page(Method::GET, path).send().await
}

const FILES: [(&str, &str); 12] = [
    ("/docs", "text/html; charset=utf-8"),
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
    let answer = get(&app, "/").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (307, Some("/docs/")));
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
    let page = get(&app, "/docs/").await;
    let loaded: Vec<&str> =
        page.text().split(['"', '\'']).filter(|text| text.starts_with('/') || text.contains("//")).collect();
    assert!(!loaded.is_empty());
    for path in loaded {
        assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
        assert_eq!(get(&app, path).await.status, 200, "{path}");
    }
    assert!(get(&app, "/docs/start.js").await.text().contains("url: \"/openapi.json\""));
    assert!(!get(&app, "/docs/swagger-ui.css").await.text().contains("url(http"));
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
    let metrics = metrics::render(&app.app, app.app.metrics.as_ref().unwrap()).await.unwrap();
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
