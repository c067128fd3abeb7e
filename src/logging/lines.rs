//! Writing a line so that it neither fails nor lasts, whatever it is written to: a pipe whose reader is gone or does not
//! read, a full disk, a terminal that stands still.

use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// How long a line waits for a reader who is behind; where that was in vain, the next ones do not wait.
const PATIENCE: Duration = Duration::from_millis(200);
/// Bytes that a pipe takes at once where it takes any (Linux's `PIPE_BUF`).
const PIECE: usize = 4096;

/// What became of lines.
#[derive(Debug)]
pub(super) struct Counts {
    dropped: AtomicU64,
    /// The last line was dropped.
    is_failing: AtomicBool,
    /// Of the last line that was dropped, a part was written.
    is_cut: AtomicBool,
}

impl Counts {
    pub(super) const fn new() -> Self {
        Self { dropped: AtomicU64::new(0), is_failing: AtomicBool::new(false), is_cut: AtomicBool::new(false) }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }
}

/// Writes the line, or counts it as dropped.
///
/// A thread that wrote them one after the other would do too, but the last lines before a crash would be lost with it.
pub(super) fn write_line(out: &mut (impl Write + AsFd), line: &[u8], counts: &Counts) {
    let mut patience = if counts.is_failing() { Duration::ZERO } else { PATIENCE };
    // What was cut off before stays a line of its own.
    let is_apart = !counts.is_cut.load(Ordering::Relaxed) || write(out, b"\n", &mut patience) == 1;
    let written = if is_apart { write(out, line, &mut patience) } else { 0 };
    let is_whole = is_apart && written == line.len();
    if !is_whole {
        counts.dropped.fetch_add(1, Ordering::Relaxed);
    }
    counts.is_failing.store(!is_whole, Ordering::Relaxed);
    if is_apart {
        counts.is_cut.store(!is_whole && written > 0, Ordering::Relaxed);
    }
}

/// Writes as much as goes, and says how much that was.
fn write(out: &mut (impl Write + AsFd), bytes: &[u8], patience: &mut Duration) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        let piece = &bytes[written..bytes.len().min(written + PIECE)];
        if !takes_more(out, patience) {
            break;
        }
        match out.write(piece) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(_) => break,
        }
    }
    written
}

/// Whether a write would return at once, be it with an error; waits for that, once for all of a line.
fn takes_more(out: &impl AsFd, patience: &mut Duration) -> bool {
    for wait in [Duration::ZERO, std::mem::take(patience)] {
        let timeout = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
        let mut asked = [PollFd::new(out, PollFlags::OUT)];
        match poll(&mut asked, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => {}
            _ => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{BufRead, BufReader, Read, pipe};
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_line_that_cannot_be_written_is_counted() {
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let (reader, mut unread) = pipe().unwrap();
        drop(reader);
        let counts = Counts::new();
        write_line(&mut full, b"one\n", &counts);
        write_line(&mut unread, b"two\n", &counts);
        assert_eq!((counts.dropped(), counts.is_failing()), (2, true));
    }

    #[test]
    fn a_reader_who_does_not_read_is_waited_for_once_and_later_gets_whole_lines() {
        let (reader, mut out) = pipe().unwrap();
        let counts = Counts::new();
        let start = Instant::now();
        // More than a pipe takes; some longer than it takes at once.
        let line = format!("{}\n", "x".repeat(6000));
        for _ in 0..200 {
            write_line(&mut out, line.as_bytes(), &counts);
        }
        assert!(start.elapsed() < PATIENCE * 5, "{:?}", start.elapsed());
        let dropped = counts.dropped();
        assert!(dropped > 100, "{dropped}");

        let mut lines = BufReader::new(reader);
        let mut whole = String::new();
        for _ in 0..200 - dropped {
            whole.clear();
            lines.read_line(&mut whole).unwrap();
            assert_eq!(whole, line);
        }
        write_line(&mut out, b"again\n", &counts);
        assert_eq!((counts.dropped(), counts.is_failing()), (dropped, false));
        drop(out);
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        assert!(rest == "again\n" || rest.ends_with("x\nagain\n"), "{}", rest.len());
    }

    #[test]
    fn a_reader_who_is_behind_gets_every_line() {
        let (mut reader, mut out) = pipe().unwrap();
        let counts = Counts::new();
        let reading = std::thread::spawn(move || {
            let (mut all, mut part) = (0, [0; 4096]);
            while let Ok(count) = reader.read(&mut part) {
                if count == 0 {
                    break;
                }
                all += count;
                std::thread::sleep(Duration::from_micros(200));
            }
            all
        });
        for _ in 0..2_000 {
            write_line(&mut out, &[b'x'; 300], &counts);
        }
        drop(out);
        assert_eq!((reading.join().unwrap(), counts.dropped()), (600_000, 0));
    }
}
