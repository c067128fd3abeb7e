import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.request import urlopen

from aidocumines_auth import AuthClient

# The server that tests/clients/run started for these tests.
LIVE = os.environ["AUTH_URL"]
METRICS = os.environ["METRICS_URL"]

PASSWORD = "SecurePass#456"
STALE = "x" * 30
people = count(1)


def logged_in(**options: Any) -> tuple[AuthClient, str]:
    """Somebody with an account and a session."""
    auth = AuthClient(LIVE, **options)
    email = f"py{os.getpid()}.{next(people)}@example.com"
    auth.signup(
        email=email,
        password=PASSWORD,
        organisation="AI DocuMines User",
        contact_name="John Doe",
        contact_phone="+27 444 555 666",
    )
    auth.login(email=email, password=PASSWORD)
    return auth, email


def counted(operation: str) -> int:
    """The server's own count of an operation's answers."""
    with urlopen(f"{METRICS}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    ours = [line for line in lines if line.startswith("documines_auth_requests_total") and f'"{operation}"' in line]
    return sum(int(line.split()[-1]) for line in ours)


class Answer:
    """What the fake server answers."""

    def __init__(self, status: int, body: object, retry_after: str | None = None, media_type: str = "application/json"):
        self.status = status
        self.body = body
        self.headers = {"Content-Type": media_type} | ({"Retry-After": retry_after} if retry_after else {})


def refusal(status: int, code: str, retry_after: str | None = None) -> Answer:
    body = {"type": "", "title": "t", "status": status, "detail": "d", "code": code, "request_id": "r"}
    return Answer(status, body, retry_after, "application/problem+json")


@contextmanager
def fake(script: Callable[[str, int], Answer]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers as told by path and number of the call; gives its URL and the paths that were called."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            calls.append(self.path)
            answer = script(self.path, len(calls))
            body = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", calls
        finally:
            server.shutdown()
