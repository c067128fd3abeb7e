//! A connection to one of a host's addresses, whichever answers first (RFC 8305).

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;

/// How long an address is alone before the next is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// Tries the addresses one after the other without waiting for the ones before to fail: one that swallows packets, as
/// IPv6 that leads nowhere does, takes a quarter of a second and not all the time that there is. Returns the place of the
/// one that answered, and the connection.
pub(super) async fn first_of(addresses: &[SocketAddr]) -> Result<(usize, TcpStream), Error> {
    let mut waiting = addresses.iter().copied().enumerate();
    let mut attempts = FuturesUnordered::new();
    let mut last = Error::new(ErrorKind::NotFound, "its name has no address");
    loop {
        let next = waiting.next();
        let is_there_more = next.is_some();
        if let Some((place, address)) = next {
            attempts.push(async move { (place, TcpStream::connect(address).await) });
        }
        tokio::select! {
            Some((place, attempt)) = attempts.next(), if !attempts.is_empty() => match attempt {
                Ok(stream) => return Ok((place, stream)),
                Err(error) => last = error,
            },
            () = tokio::time::sleep(HEAD_START), if is_there_more => {}
            else => return Err(last),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address that swallows what is sent to it: a listener whose queue is full. It lives as long as what comes along.
    pub(in super::super) async fn hole() -> (SocketAddr, impl Sized) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut plugs = Vec::new();
        while let Ok(plug) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            plugs.push(plug.unwrap());
        }
        (address, (listener, plugs))
    }

    #[tokio::test]
    async fn an_address_that_swallows_packets_does_not_keep_the_others_from_being_tried() {
        let ((first, _kept), (second, _too)) = (hole().await, hole().await);
        let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        for addresses in [&[good][..], &[first, good], &[first, second, good], &[refusing, first, good, second]] {
            let attempt = tokio::time::timeout(Duration::from_secs(2), first_of(addresses)).await.expect("in time");
            assert_eq!(addresses[attempt.unwrap().0], good);
        }
    }

    #[tokio::test]
    async fn where_no_address_answers_one_reason_is_told() {
        let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(first_of(&[refusing, refusing]).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(first_of(&[]).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
