//! One accepted connection, as hyper reads and writes it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::connections::Connection;

/// How long a reader may be waited for who makes no room for more of an answer.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// How many bytes a reader takes for each second of that time that it gets back: who takes less in a second runs out of it,
/// however steadily.
const SLOWEST: u32 = 4 * 1024;
/// Up to here a head and its body are copied into one piece and written by the plain system call, which costs less than
/// the one that gathers pieces. Longer answers are not copied: a reader who does not read would hold the copy.
const GATHERED: usize = 2 * 1024;
/// How long, and for how many bytes, a caller is listened to after the last answer. A caller who is still sending then
/// would otherwise hear a reset in place of the answer: the system sends one where bytes arrive that are not read.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;
/// How much of it is read at a time.
const SCRATCH: usize = 16 * 1024;

/// A connection that waits for its reader for a while, and is closed so that the last answer is heard.
pub(crate) struct Stream {
    tcp: TcpStream,
    connection: Arc<Connection>,
    /// How long the reader may still be waited for.
    patience: Duration,
    stall: Option<Stall>,
    lingering: Option<Lingering>,
}

/// There has been no room for more of an answer since an instant, and there may be none until another.
struct Stall {
    since: Instant,
    until: Pin<Box<Sleep>>,
}

struct Lingering {
    until: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream, connection: Arc<Connection>) -> Self {
        Self { tcp, connection, patience: WRITE_PATIENCE, stall: None, lingering: None }
    }

    /// Takes what came of writing. A reader who makes no room is waited for while there is patience; the time that it took
    /// is gone, and comes back by what it takes.
    fn wait(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Self { tcp, patience, stall, .. } = self;
        if let Poll::Ready(written) = written {
            if let Some(stall) = stall.take() {
                *patience = patience.saturating_sub(stall.since.elapsed());
            }
            if let (Ok(bytes), true) = (&written, *patience < WRITE_PATIENCE) {
                let bytes = u32::try_from(*bytes).unwrap_or(u32::MAX);
                *patience = WRITE_PATIENCE.min(*patience + bytes * Duration::from_secs(1) / SLOWEST);
            }
            return Poll::Ready(written);
        }
        let stall = stall.get_or_insert_with(|| Stall { since: Instant::now(), until: Box::pin(sleep(*patience)) });
        ready!(stall.until.as_mut().poll(cx));
        // Or the system would keep what was not read for minutes more.
        let _ = tcp.set_zero_linger();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.wait(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let written = if length <= GATHERED {
            let (mut gathered, mut end) = ([0; GATHERED], 0);
            for piece in pieces {
                gathered[end..end + piece.len()].copy_from_slice(piece);
                end += piece.len();
            }
            Pin::new(&mut self.tcp).poll_write(cx, &gathered[..end])
        } else {
            Pin::new(&mut self.tcp).poll_write_vectored(cx, pieces)
        };
        self.wait(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    /// Says that no more comes, then reads and drops what the caller still sends; a connection that makes room for another
    /// does not wait for that.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, connection, lingering, .. } = &mut *self;
        if lingering.is_none() {
            ready!(Pin::new(&mut *tcp).poll_shutdown(cx))?;
        }
        if connection.is_asked_to_end() {
            return Poll::Ready(Ok(()));
        }
        let lingering =
            lingering.get_or_insert_with(|| Lingering { until: Box::pin(sleep(LINGER)), bytes_left: LINGER_BYTES });
        let mut scratch = [0; SCRATCH];
        while lingering.bytes_left > 0 && lingering.until.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut *tcp).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            lingering.bytes_left = lingering.bytes_left.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(Ok(()))
    }
}
