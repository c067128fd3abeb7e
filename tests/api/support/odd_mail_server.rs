//! A mail server as odd as a test wants it, where `mail_server` keeps to the standard.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it answers, as it goes over the wire but for the line end.
#[derive(Clone)]
pub(crate) struct Manners {
    pub(crate) greeting: Vec<u8>,
    /// By a command's first word; what is not here is taken.
    pub(crate) answers: HashMap<&'static str, Vec<u8>>,
    /// The answer to a mail's final dot; where there is none the connection ends.
    pub(crate) taken: Option<Vec<u8>>,
    /// How long it takes for that.
    pub(crate) pause: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        let (greeting, taken) = (b"220 mail.test".to_vec(), Some(b"250 2.0.0 Ok: queued".to_vec()));
        Self { greeting, answers: HashMap::new(), taken, pause: Duration::ZERO }
    }
}

/// The server; its thread ends with the test.
pub(crate) struct OddMailServer {
    pub(crate) port: u16,
    pub(crate) manners: Arc<Mutex<Manners>>,
    mails: Arc<Mutex<usize>>,
}

impl OddMailServer {
    pub(crate) fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, manners: Arc::new(Mutex::new(manners)), mails: Arc::default() };
        let (manners, mails) = (server.manners.clone(), server.mails.clone());
        std::thread::spawn(move || {
            for peer in listener.incoming().flatten() {
                let (manners, mails) = (manners.clone(), mails.clone());
                // A client that goes away ends it.
                std::thread::spawn(move || drop(serve(&peer, &manners, &mails)));
            }
        });
        server
    }

    /// How many mails came, whatever it said to them.
    pub(crate) fn mails(&self) -> usize {
        *self.mails.lock().unwrap()
    }
}

fn serve(peer: &TcpStream, manners: &Mutex<Manners>, mails: &Mutex<usize>) -> std::io::Result<()> {
    let mut lines = BufReader::new(peer).split(b'\n');
    let say = |answer: &[u8]| (&*peer).write_all(&[answer, b"\r\n"].concat());
    let now = || manners.lock().unwrap().clone();
    say(&now().greeting)?;
    while let Some(line) = lines.next().transpose()? {
        let line = String::from_utf8_lossy(&line).into_owned();
        let word = line.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let manners = now();
        if let Some(answer) = manners.answers.get(word.as_str()) {
            say(answer)?;
        } else if word == "DATA" {
            say(b"354 go on")?;
            while lines.next().transpose()?.is_some_and(|line| line != b".\r") {}
            *mails.lock().unwrap() += 1;
            std::thread::sleep(manners.pause);
            let Some(answer) = &manners.taken else { return peer.shutdown(std::net::Shutdown::Both) };
            say(answer)?;
        } else {
            say(b"250 ok")?;
        }
    }
    Ok(())
}
