//! What profile reads are measured against: a bare poem endpoint that answers a profile that never changes, with the
//! same allocator and the same build profile as the server.

use poem::listener::TcpListener;
use poem::{Route, Server, get, handler, http::header::CONTENT_TYPE};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROFILE: &str = r#"{"email":"bench@example.com","organisation":"Bench","contact_name":"Ben Bench","contact_phone":"+27 21 555 0100","address":"1 Quay Street, Cape Town","industry":"Measuring","use_case":"Knowing what a request costs."}"#;

#[handler]
fn profile() -> poem::Response {
    poem::Response::builder().header(CONTENT_TYPE, "application/json").body(PROFILE)
}

#[tokio::main]
async fn main() -> Result<(), std::io::Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:18021".to_owned());
    Server::new(TcpListener::bind(address)).run(Route::new().at("/profile", get(profile))).await
}
