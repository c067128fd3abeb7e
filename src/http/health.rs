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

/// 200 while the database answers and every background job runs, else 503.
#[handler]
pub(super) async fn readyz(app: Data<&Arc<App>>) -> poem::Result<&'static str> {
    app.database().ping().await.map_err(|error| Problem::from(Fault::Store(error)))?;
    if let Some(job) = app.jobs.one_that_is_down() {
        return Err(Problem::unavailable(format!("the background job {job} does not run")).into());
    }
    Ok("ok\n")
}
