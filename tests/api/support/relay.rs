//! A relay in front of PostgreSQL that can leave those who listen, or all, without a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Relay {
    url: String,
    is_mute: Arc<AtomicBool>,
    is_silent: Arc<AtomicBool>,
}

impl Relay {
    /// To the database at `url`.
    pub(crate) async fn to(url: &str) -> Self {
        let (user, rest) = url.split_once('@').unwrap();
        let (server, name) = rest.split_once('/').unwrap();
        let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{user}@{}/{name}", relay.local_addr().unwrap());
        let (is_mute, is_silent) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (server, mute, silent) = (server.to_owned(), is_mute.clone(), is_silent.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = relay.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, mute.clone(), silent.clone()));
            }
        });
        Self { url, is_mute, is_silent }
    }

    /// The database by way of the relay.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether connections that listen, old and new, hear nothing any more, while nobody closes them. One that has missed
    /// something stays like that.
    pub(crate) fn be_mute(&self, is_mute: bool) {
        self.is_mute.store(is_mute, Ordering::SeqCst);
    }

    /// Whether all connections hear nothing any more, in the same way.
    pub(crate) fn be_silent(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::SeqCst);
    }
}

async fn carry(client: TcpStream, server: TcpStream, is_mute: Arc<AtomicBool>, is_silent: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let listens = AtomicBool::new(false);
    let up = async {
        let mut bytes = vec![0; 8192];
        while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
            if bytes[..length].windows(6).any(|word| word == b"LISTEN") {
                listens.store(true, Ordering::SeqCst);
            }
            to_server.write_all(&bytes[..length]).await.unwrap();
        }
    };
    let down = async {
        let mut bytes = vec![0; 8192];
        while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
            let is_unheard = listens.load(Ordering::SeqCst) && is_mute.load(Ordering::SeqCst);
            if is_unheard || is_silent.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if to_client.write_all(&bytes[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
