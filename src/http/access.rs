//! The access log: one line for each request that was answered, under a log target of its own.

use std::time::Duration;

use poem::Request;
use poem::http::{Method, StatusCode, Uri};

use super::origin::source_of;
use super::request_id::RequestId;
use crate::app::App;
use crate::kernel::origin::Source;

/// What `--log-filter` calls it. Off by default: profile reads come by the ten thousand a second.
const TARGET: &str = "access";
/// How much of a path is written down, in bytes: a stranger may make it tens of thousands long.
const LONGEST_PATH: usize = 256;

/// What a line says of the request, taken before the request is consumed.
pub(super) struct Asked {
    method: Method,
    uri: Uri,
    source: Source,
}

impl Asked {
    /// `None` where the line would not be written; that costs one look at a number that tracing keeps.
    pub(super) fn of(request: &Request, app: &App) -> Option<Self> {
        tracing::enabled!(target: TARGET, tracing::Level::INFO).then(|| Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            source: source_of(request, app),
        })
    }

    /// Writes the line. The query is left out: a caller who puts a secret there by mistake is not to find it in a log.
    pub(super) fn answered(
        &self,
        request_id: &RequestId,
        operation: Option<&'static str>,
        status: StatusCode,
        took: Duration,
    ) {
        let path = self.uri.path();
        tracing::info!(
            target: TARGET,
            %request_id,
            source = %self.source,
            method = self.method.as_str(),
            path = &path[..path.floor_char_boundary(LONGEST_PATH)],
            operation = operation.unwrap_or("none"),
            status = status.as_u16(),
            duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
    }
}
