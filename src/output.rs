//! What a command prints on standard output.

use std::io::{self, ErrorKind, Write};

/// Prints all of it; a reader who has read enough (`… | head`) is no error.
///
/// # Errors
/// Where it cannot be written.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    is_read_on(out.write_all(text.as_bytes()).and_then(|()| out.flush())).map(|_| ())
}

/// Whether anybody reads on after something was written.
///
/// # Errors
/// Where it could not be written for another reason.
pub fn is_read_on(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))),
    }
}
