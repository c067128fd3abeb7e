//! Where a request comes from, read off its connection and its headers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use poem::http::HeaderName;
use poem::http::header::USER_AGENT;
use poem::{Addr, FromRequest, Request, RequestBody};

use super::problem::Problem;
use super::request_id::RequestId;
use crate::app::App;
use crate::kernel::origin::{Origin, Source, UserAgent};
use crate::kernel::rate_limit::Standings;

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl<'a> FromRequest<'a> for Origin {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let app: &Arc<App> = request.data().ok_or_else(|| Problem::internal("the request carries no App"))?;
        Ok(origin_of(request, app))
    }
}

/// Where a request comes from. Reads carry no request id: whoever puts a refused one on the record adds it.
pub(super) fn origin_of(request: &Request, app: &App) -> Origin {
    let user_agent = request.headers().get(USER_AGENT);
    Origin {
        source: source_of(request, app),
        user_agent: user_agent.and_then(|header| UserAgent::from_header(header.as_bytes())),
        request_id: request.data::<RequestId>().map(ToString::to_string).unwrap_or_default(),
        standings: request.data::<Standings>().cloned().unwrap_or_default(),
    }
}

/// The address that a request comes from; behind proxies that we trust, the one that they name.
pub(super) fn source_of(request: &Request, app: &App) -> Source {
    let peer = match &request.remote_addr().0 {
        Addr::SocketAddr(address) => address.ip(),
        // What is called without a network, as tests do, comes from nowhere.
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    // A line may hold what a stranger sent, whatever bytes that is, before what our proxy added to it.
    let lines = request.headers().get_all(X_FORWARDED_FOR).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let lines: Vec<_> = lines.collect();
    app.trusted_proxies.source(peer, lines.iter().map(AsRef::as_ref))
}
