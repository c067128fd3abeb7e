//! For those who run the server: is it alive, is it ready.

use std::sync::Arc;

use poem::handler;
use poem::web::Data;

use super::problem::Problem;
use crate::app::App;
use crate::fault::Fault;

/// 200 while the process runs.
#[handler]
pub(super) fn livez() -> &'static str {
    "ok\n"
}

/// 200 while the database answers, else 503.
#[handler]
pub(super) async fn readyz(app: Data<&Arc<App>>) -> poem::Result<&'static str> {
    app.database().ping().await.map_err(|error| Problem::from(Fault::Store(error)))?;
    Ok("ok\n")
}
