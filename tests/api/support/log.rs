//! What the server logs while a test runs.

use std::io::{Result, Write};
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

/// Takes the log of this thread until it is dropped: for tests on a runtime of one thread.
pub(crate) struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

/// While there is but one subscriber, tracing asks the thread that first comes by a log statement whether anybody wants
/// it, and keeps the answer for all threads: the thread of a test without a log would say no.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| {
    let silent = tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_writer(std::io::sink);
    Dispatch::new(silent.finish())
});

impl Log {
    pub(crate) fn start(level: tracing::Level) -> Self {
        LazyLock::force(&ANOTHER);
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(level).with_ansi(false);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// What was logged so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap()
    }

    /// What was logged since the last time.
    pub(crate) fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.lines.0.lock().unwrap())).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
