//! Requests hidden in the bodies of others: whoever stands in front of us must never see another end of a request than
//! we do (RFC 9112, section 11.2).

use std::time::Duration;

use super::{send, statuses};
use crate::server::Server;

/// Long enough for an answer on a busy machine.
const LULL: Duration = Duration::from_secs(3);

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A request whose framing is in doubt; the hidden one stands where only a wrong reading finds it.
fn doubtful(framing: &str, body: &str) -> String {
    format!(
        "POST /api/v1/auth/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{framing}\r\n\r\n{body}"
    )
}

#[test]
fn a_request_hidden_in_the_body_of_another_is_not_heard() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let length = HIDDEN.len();
    let chunk = format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n");
    let after_the_end = format!("0\r\n\r\n{HIDDEN}");
    let cases = [
        // The whole of it is one body, by either reading.
        doubtful(&format!("Content-Length: {length}"), HIDDEN),
        doubtful("Transfer-Encoding: chunked", &chunk),
        // Two framings: the connection ends with the first request, whichever of them would count.
        doubtful(&format!("Content-Length: {}\r\nTransfer-Encoding: chunked", after_the_end.len()), &after_the_end),
        doubtful(&format!("Transfer-Encoding: chunked\r\nContent-Length: {}", after_the_end.len()), &after_the_end),
        doubtful("Content-Length: 0\r\nTransfer-Encoding: chunked", &chunk),
        doubtful(&format!("Content-Length: 0\r\nContent-Length: {length}"), HIDDEN),
        doubtful(&format!("Content-Length: {length}\r\nContent-Length: 0"), HIDDEN),
        doubtful(&format!("Content-Length: 0, {length}"), HIDDEN),
        doubtful(&format!("Content-Length: +{length}"), HIDDEN),
        doubtful("Content-Length: 0x0", HIDDEN),
        doubtful("Content-Length : 0", HIDDEN),
        // Encodings that one of two servers takes for chunked.
        doubtful("Transfer-Encoding: xchunked", &after_the_end),
        doubtful("Transfer-Encoding: chunked, identity", &after_the_end),
        doubtful("Transfer-Encoding : chunked", &after_the_end),
        doubtful("Transfer-Encoding:\u{b}chunked", &after_the_end),
        doubtful("X: y\r\n Transfer-Encoding: chunked", &after_the_end),
        doubtful("X: y\rTransfer-Encoding: chunked", &after_the_end),
        doubtful("Transfer-Encoding\r\n : chunked", &after_the_end),
        // Chunks that end where one of two servers says.
        doubtful("Transfer-Encoding: chunked", &format!("-0\r\n\r\n{HIDDEN}")),
        doubtful("Transfer-Encoding: chunked", &format!("0x0\r\n\r\n{HIDDEN}")),
        doubtful("Transfer-Encoding: chunked", &format!("10000000000000000\r\n\r\n{HIDDEN}")),
        doubtful("Transfer-Encoding: chunked", &format!("0;\n\r\n{HIDDEN}")),
        doubtful("Transfer-Encoding: chunked", &format!("1\r\nxx\r\n0\r\n\r\n{HIDDEN}")),
    ];
    std::thread::scope(|scope| {
        for sent in cases {
            let address = server.address;
            scope.spawn(move || {
                let answer = send(address, sent.as_bytes(), LULL);
                let statuses = statuses(&answer);
                let is_heard = statuses.contains(&404) || statuses.len() > 1;
                assert!(!is_heard, "{sent:?} got {}", String::from_utf8_lossy(&answer));
            });
        }
    });
}

#[test]
fn requests_sent_one_behind_another_are_answered_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let first = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = send(server.address, format!("{first}{HIDDEN}").as_bytes(), LULL);
    assert_eq!(statuses(&answer), [200, 404], "{}", String::from_utf8_lossy(&answer));
}
