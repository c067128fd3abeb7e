//! One accepted connection, as hyper reads and writes it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// How long a reader may take to make room for more of an answer.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// How long, and for how many bytes, a caller is listened to after the last answer. A caller who is still sending then
/// would otherwise hear a reset in place of the answer: the system sends one where bytes arrive that are not read.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;
/// How much of it is read at a time.
const SCRATCH: usize = 16 * 1024;

/// A connection that waits for its reader for a while, and is closed so that the last answer is heard.
pub(crate) struct Stream {
    tcp: TcpStream,
    /// When the reader is given up; `None` while there is room.
    stalled_until: Option<Pin<Box<Sleep>>>,
    lingering: Option<Lingering>,
}

struct Lingering {
    until: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self { tcp, stalled_until: None, lingering: None }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { tcp, stalled_until, .. } = &mut *self;
        let written = Pin::new(&mut *tcp).poll_write(cx, bytes);
        if written.is_ready() {
            *stalled_until = None;
            return written;
        }
        let until = stalled_until.get_or_insert_with(|| Box::pin(sleep(WRITE_PATIENCE)));
        ready!(until.as_mut().poll(cx));
        // Or the system would keep what was not read for minutes more.
        let _ = tcp.set_zero_linger();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    /// Says that no more comes, then reads and drops what the caller still sends.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, lingering, .. } = &mut *self;
        if lingering.is_none() {
            ready!(Pin::new(&mut *tcp).poll_shutdown(cx))?;
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
