//! How long a connection is waited for: between two requests, and for a head that has begun.
//!
//! hyper knows one limit, for the wait before a head and for the head together. A proxy keeps connections for a minute or
//! more and may use one at any moment of it, so it must not find it closed; a head that comes byte by byte must not take
//! as long. Here hyper's limit is the rest, and the first byte of a head makes it the head's.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{self, Timer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long the head of a request may take from its first byte on, and how long the first one may keep us waiting.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// The timer of one connection. hyper sets it for each head and forgets it as soon as the head has come: tokio would enter
/// each of those into its wheel and take it out again. Here one entry stays, and moves on when it has run out.
#[derive(Clone)]
pub(super) struct Alarm(Arc<Mutex<State>>);

struct State {
    entry: Pin<Box<tokio::time::Sleep>>,
    /// When the connection is given up.
    deadline: Instant,
    waits_for: Next,
}

/// What the connection waits for.
enum Next {
    /// The first head of all.
    FirstHead,
    /// The first byte of another.
    Byte,
    /// The rest of a head, or of the request that it began.
    Rest,
}

impl Alarm {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let entry = Box::pin(tokio::time::sleep_until((now + HEAD_PATIENCE).into()));
        Self(Arc::new(Mutex::new(State { entry, deadline: now + HEAD_PATIENCE, waits_for: Next::FirstHead })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came.
    fn hear(&self) {
        let mut state = self.state();
        if matches!(state.waits_for, Next::Byte) {
            state.deadline = Instant::now() + HEAD_PATIENCE;
            state.waits_for = Next::Rest;
        }
    }
}

impl Timer for Alarm {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        let mut state = self.state();
        if matches!(state.waits_for, Next::FirstHead) {
            // Who connects and says nothing is no proxy that keeps a connection for later.
            state.waits_for = Next::Rest;
        } else {
            (state.deadline, state.waits_for) = (deadline, Next::Byte);
        }
        Box::pin(Until(self.clone()))
    }
}

struct Until(Alarm);

impl rt::Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let State { entry, deadline, .. } = &mut *self.0.state();
        let deadline = (*deadline).into();
        if entry.deadline() > deadline {
            entry.as_mut().reset(deadline);
        }
        while entry.deadline() < deadline {
            ready!(entry.as_mut().poll(context));
            entry.as_mut().reset(deadline);
        }
        entry.as_mut().poll(context)
    }
}

/// A connection that tells its alarm when bytes come.
pub(super) struct Heard<S> {
    stream: S,
    alarm: Alarm,
}

impl<S> Heard<S> {
    pub(super) fn new(stream: S, alarm: Alarm) -> Self {
        Self { stream, alarm }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.alarm.hear();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for the alarm, and gives how long it took from `since` on.
    async fn rings(sleep: Pin<Box<dyn rt::Sleep>>, since: Instant) -> Duration {
        tokio::time::timeout(HEAD_PATIENCE * 2, sleep).await.unwrap();
        since.elapsed()
    }

    #[tokio::test]
    async fn an_alarm_rings_when_it_was_last_set_to_ring() {
        let alarm = Alarm::new();
        let _ = tokio::time::timeout(Duration::from_millis(1), alarm.sleep(HEAD_PATIENCE)).await.unwrap_err();
        for wanted in [30, 90, 10].map(Duration::from_millis) {
            let forgotten = alarm.sleep(Duration::from_millis(50));
            let _ = tokio::time::timeout(Duration::from_millis(1), forgotten).await.unwrap_err();
            let before = Instant::now();
            let took = rings(alarm.sleep(wanted), before).await;
            assert!(took >= wanted && took < HEAD_PATIENCE / 2, "{took:?}");
        }
    }

    #[tokio::test]
    async fn the_first_head_and_each_that_has_begun_have_ten_seconds_and_a_rest_has_its_own() {
        let alarm = Alarm::new();
        let rest = Duration::from_secs(120);
        let rings_in = || alarm.state().deadline.saturating_duration_since(Instant::now()).as_secs_f64().round();
        let _first = alarm.sleep(rest);
        assert!((rings_in() - 10.0).abs() < 0.1, "{}", rings_in());
        alarm.hear();
        let _second = alarm.sleep(rest);
        assert!((rings_in() - 120.0).abs() < 0.1, "{}", rings_in());
        alarm.hear();
        let begun = alarm.state().deadline;
        assert!((rings_in() - 10.0).abs() < 0.1, "{}", rings_in());
        alarm.hear();
        assert_eq!(alarm.state().deadline, begun, "each further byte won time");
    }
}
