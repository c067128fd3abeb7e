//! Accepting connections.

use std::io;
use std::time::Duration;

use poem::http::uri::Scheme;
use poem::listener::Acceptor;
use poem::web::{LocalAddr, RemoteAddr};
use tokio::net::{TcpListener, TcpStream};

/// Accepts TCP connections, with what poem's own acceptor leaves out: answers go out at once (`TCP_NODELAY`), and an
/// error such as "too many open files" is waited out instead of spun on.
#[derive(Debug)]
pub(crate) struct Connections(pub TcpListener);

const PAUSE: Duration = Duration::from_millis(100);

impl Acceptor for Connections {
    type Io = TcpStream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.0.local_addr().map(|address| LocalAddr(address.into())).into_iter().collect()
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, LocalAddr, RemoteAddr, Scheme)> {
        loop {
            match self.0.accept().await {
                Ok((stream, peer)) => {
                    stream.set_nodelay(true)?;
                    let local = stream.local_addr()?;
                    return Ok((stream, LocalAddr(local.into()), RemoteAddr(peer.into()), Scheme::HTTP));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
