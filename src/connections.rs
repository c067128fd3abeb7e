//! Accepting connections and serving HTTP/1.1 on them.
//!
//! poem's own server has no limit on the time that a request's head may take, leaves `TCP_NODELAY` off, spins when
//! files run out, and drops connections that the system had accepted for it when it is told to stop. The loop is hyper's
//! in any case; this one keeps those promises.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use crate::listener_stream::Stream;

mod alarm;
mod files;
mod places;

use alarm::{Alarm, Heard};
pub(crate) use files::{left_for_callers, raise_limit};
use places::Place;
pub(crate) use places::{Bounds, Connection, Places};

/// How many connections Prometheus may have.
pub(crate) const METRICS_CONNECTIONS: usize = 16;

/// How much of a head is kept until it is whole, and how much of an answer until it is written. A longer head is refused
/// with 431.
const BUFFER: usize = 32 * 1024;
/// How long requests that are under way may take after the signal to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long after the signal to stop a caller who was let in may take to be heard.
const FIRST_WORD: Duration = Duration::from_millis(500);
/// How long to wait after a connection could not be accepted: files that ran out do not come back at once.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop`, then what was accepted before, ten seconds at most. A connection may rest for `idle_timeout`
/// between two requests.
pub(crate) async fn serve(
    listener: TcpListener,
    idle_timeout: Duration,
    endpoint: impl Endpoint<Output = Response> + 'static,
    places: Arc<Places>,
    stop: impl Future<Output = ()>,
) {
    let endpoint = Arc::new(endpoint);
    let (stopping, watch) = watch::channel(());
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => start(stream, idle_timeout, &endpoint, &places, &watch),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            () = &mut stop => break,
        }
    }
    // Connections that the system accepted for us are callers who were let in. The system is asked itself: tokio may not
    // have heard of the last of them yet.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, _)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                start(stream, idle_timeout, &endpoint, &places, &watch);
            }
        }
    }
    drop(watch);
    tracing::info!(connections = stopping.receiver_count(), "finishing what is under way");
    let _ = stopping.send(());
    if tokio::time::timeout(GRACE, stopping.closed()).await.is_err() {
        tracing::warn!("some requests were still under way after the time for them was up");
    }
}

fn start<E: Endpoint<Output = Response> + 'static>(
    stream: TcpStream,
    idle_timeout: Duration,
    endpoint: &Arc<E>,
    places: &Arc<Places>,
    stopping: &watch::Receiver<()>,
) {
    let Ok((peer, local, remote)) = addresses(&stream) else { return };
    let Some(place) = places.take(peer) else { return };
    let endpoint = endpoint.clone();
    let asked = Arc::new(Notify::new());
    let service = service_fn({
        let (asked, place) = (asked.clone(), place.connection.clone());
        move |request| {
            asked.notify_one();
            place.works();
            let request = Request::from((request, local.clone(), remote.clone(), Scheme::HTTP));
            let (endpoint, place) = (endpoint.clone(), place.clone());
            async move {
                let response = endpoint.get_response(request).await;
                place.waits();
                Ok::<_, Infallible>(hyper::Response::from(response))
            }
        }
    });
    let alarm = Alarm::new();
    let stream = Heard::new(Stream::new(stream, place.connection.clone()), alarm.clone());
    let connection = http1::Builder::new()
        .timer(alarm)
        .header_read_timeout(idle_timeout)
        // Whoever sends no more may still listen (`nc -N`, tunnels). A caller who is gone looks the same until it is written to.
        .half_close(true)
        .max_buf_size(BUFFER)
        // An answer is not copied behind its head, which would be kept for as long as nobody reads it.
        .writev(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut stopping = stopping.clone();
    tokio::spawn(async move {
        // Given back when the file is closed.
        let Place { connection: this, .. } = &place;
        let mut connection = pin!(connection);
        // Callers hang up and send nonsense; hyper has answered what can be answered.
        tokio::select! {
            _ = &mut connection => return,
            () = this.asked_to_end() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
                return;
            }
            _ = stopping.changed() => {}
        }
        // hyper hangs up at once on a caller who has not been heard yet; who was let in a moment ago has a word.
        tokio::select! {
            _ = &mut connection => return,
            _ = tokio::time::timeout(FIRST_WORD, asked.notified()) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    });
}

fn addresses(stream: &TcpStream) -> io::Result<(IpAddr, LocalAddr, RemoteAddr)> {
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr()?;
    Ok((peer.ip(), LocalAddr(stream.local_addr()?.into()), RemoteAddr(peer.into())))
}
