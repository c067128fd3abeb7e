//! Warns of a proxy that the operator has not named.
//!
//! Without `--trusted-proxies` every call through a proxy seems to come from the proxy: all callers share the limits of
//! one source, and the first few shut out the rest. Nothing else tells the operator so before it happens.

use std::sync::Once;

use poem::http::header::{FORWARDED, HeaderName};
use poem::{Addr, Request};

use super::local::X_REAL_IP;
use super::origin::X_FORWARDED_FOR;
use crate::kernel::origin::{Source, TrustedProxies};

/// What proxies tell of their callers.
const TOLD: [HeaderName; 3] = [X_FORWARDED_FOR, FORWARDED, X_REAL_IP];

/// Whether the operator was told of a header that is not believed.
pub(super) struct Unbelieved {
    /// So that strangers cannot fill the log.
    warned: Once,
}

impl Unbelieved {
    pub(super) const fn new() -> Self {
        Self { warned: Once::new() }
    }

    /// Looks at a request, and warns where it is the first of its kind.
    pub(super) fn notice(&self, request: &Request, trusted: &TrustedProxies) {
        if self.warned.is_completed() {
            return;
        }
        let Some(header) = TOLD.into_iter().find(|header| request.headers().contains_key(header)) else { return };
        let Addr::SocketAddr(peer) = &request.remote_addr().0 else { return };
        let peer = Source::new(peer.ip());
        let is_read = request.headers().contains_key(X_FORWARDED_FOR);
        if let Some(what_to_do) = advice(peer, is_read, trusted) {
            self.warned.call_once(|| {
                tracing::warn!(
                    %peer, %header,
                    "a proxy tells where its calls come from and is not believed, so that all of its callers share the \
                     limits of one source: {what_to_do}. Further ones are not logged"
                );
            });
        }
    }
}

/// What the operator can do about a peer that speaks for others; `None` where nothing is amiss. Nobody has to be believed
/// who calls from the internet.
fn advice(peer: Source, is_read: bool, trusted: &TrustedProxies) -> Option<String> {
    if !trusted.include(peer) {
        return peer.is_private().then(|| format!("if it is yours, start the server with --trusted-proxies {peer}"));
    }
    (!is_read).then(|| "have it send X-Forwarded-For, which alone is read".to_owned())
}
