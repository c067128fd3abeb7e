//! What the system tells the process, beside its callers. Every signal that somebody sends on purpose has a meaning here:
//! by the system's defaults most of them would kill the process in the middle of what it does.

use std::io;
use std::task::Poll;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

/// The signals that ask for an orderly end: a service manager's, Ctrl-C, Ctrl-\, and a terminal that closes.
const STOP: [(Signal, &str); 4] =
    [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT"), (Signal::QUIT, "SIGQUIT"), (Signal::HUP, "SIGHUP")];
/// The signals that mean nothing here: those that tell other servers to open their log files anew, and the one that comes
/// with a file that has reached the limit for its size. Writing that file fails then, as it does on a full disk.
const IGNORED: [Signal; 3] = [Signal::USR1, Signal::USR2, Signal::XFSZ];

/// Ends when the process is asked to stop.
///
/// # Errors
/// Where signals cannot be heard.
pub(crate) fn stop() -> io::Result<impl Future<Output = ()>> {
    for ignored in IGNORED {
        // What is heard no longer kills, whether or not anybody listens on.
        drop(hear(ignored)?);
    }
    let mut signals = Vec::new();
    for (stop, name) in STOP {
        // nohup's word: the process shall outlive its terminal.
        if stop != Signal::HUP || !is_ignored(stop) {
            signals.push((hear(stop)?, name));
        }
    }
    Ok(async move {
        let any = std::future::poll_fn(|context| {
            let told =
                signals.iter_mut().find_map(|(signal, name)| signal.poll_recv(context).is_ready().then_some(*name));
            told.map_or(Poll::Pending, Poll::Ready)
        });
        let signal = any.await;
        tracing::info!(signal, "asked to stop");
    })
}

/// Has process 1 of a container end at once when it is asked to, as any other process does by the system's defaults:
/// those do not hold for process 1. For commands; the server ends in order.
///
/// # Errors
/// Where signals cannot be heard.
pub fn end_at_once_as_process_1() -> io::Result<()> {
    if std::process::id() == 1 {
        for stop in [Signal::TERM, Signal::INT, Signal::HUP] {
            let mut asked = hear(stop)?;
            tokio::spawn(async move {
                asked.recv().await;
                // As a shell tells of a process that a signal ended.
                std::process::exit(128 + stop.as_raw());
            });
        }
    }
    Ok(())
}

fn hear(what: Signal) -> io::Result<unix::Signal> {
    signal(SignalKind::from_raw(what.as_raw()))
}

/// Whether whoever started the process had it ignore this signal. Linux alone tells without `unsafe`.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (signal.as_raw() - 1) & 1 == 1
}
