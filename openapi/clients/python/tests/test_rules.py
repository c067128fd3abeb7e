"""The rules that this client shares with the one for TypeScript: `rules.json` says them."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aidocumines_auth import AsyncAuthClient, AuthClient, Credentials, errors

RULES = json.loads((Path(__file__).parents[2] / "rules.json").read_text())
UNTIL = {"expires": "2026-03-03 08:16:02", "refresh_expires": "2026-04-01 08:16:02"}
PAIR = {"token_type": "Bearer", "expires_in": 600, **UNTIL}


def named(rule: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", RULES[rule], ids=lambda case: case["name"])


@contextmanager
def server(answer: Callable[[BaseHTTPRequestHandler, Any], tuple[int, str, Any] | None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            said = answer(self, json.loads(self.rfile.read(length)) if length else None)
            if said is None:
                # Longer than the client waits.
                time.sleep(1)
                self.close_connection = True
                return
            status, media_type, body = said
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}"
        finally:
            http.shutdown()


@named("base_urls")
def test_a_base_url(case: dict[str, Any]) -> None:
    paths: list[str] = []

    def answer(handler: BaseHTTPRequestHandler, _: Any) -> tuple[int, str, Any]:
        paths.append(handler.path)
        return 401, "application/problem+json", problem("invalid_token")

    with server(answer) as url, pytest.raises(errors.AuthError):
        AuthClient(case["given"].replace("{server}", url)).get_profile()
    assert paths == [case["expected"]]


@named("sessions")
@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_a_session(case: dict[str, Any], kind: str) -> None:
    given, expected = case["given"], case["expected"]
    calls: list[str] = []
    saved: list[int | None] = []
    answers = {name: list(those) for name, those in given["answers"].items()}
    stored = given.get("stored")
    waiting = list(stored) if isinstance(stored, list) else None

    def answer(handler: BaseHTTPRequestHandler, body: Any) -> tuple[int, str, Any] | None:
        is_refresh = "refresh" in handler.path
        token = body["refresh_token"] if is_refresh else handler.headers["Authorization"]
        calls.append(f"{'refresh' if is_refresh else 'other'} {number(token)}")
        said = answers["refresh" if is_refresh else "other"].pop(0)
        if said == "lost":
            return None
        if said == "ok":
            return 200, "application/json", {"message": "ok"}
        kind, _, detail = said.partition(" ")
        if kind == "pair":
            return 200, "application/json", PAIR | {"access_token": f"a{detail}", "refresh_token": f"r{detail}"}
        if kind == "proxy":
            return int(detail), "text/html", "bad gateway"
        return 401, "application/problem+json", problem(said)

    def load() -> Credentials | None:
        if waiting is not None:
            return credentials(waiting.pop(0) if len(waiting) > 1 else waiting[0])
        return credentials(stored)

    options: dict[str, Any] = {
        "credentials": credentials(given.get("ours")),
        "save": lambda kept: saved.append(number(kept.refresh_token)),
        "load": load,
        "timeout": 0.3,
    }
    with server(answer) as url:
        try:
            if kind == "blocking":
                auth: Any = AuthClient(url, **options)
                auth.update_profile(address="x")
            else:
                auth = AsyncAuthClient(url, **options)
                asyncio.run(auth.update_profile(address="x"))
            outcome = "ok"
        except errors.AuthError as error:
            outcome = error.code
    found = {"calls": calls, "outcome": outcome, "kept": number(auth.credentials.refresh_token), "saved": saved}
    assert found == expected


def credentials(given: dict[str, Any] | None) -> Credentials | None:
    if given is None:
        return None
    renew_at = given["number"] if given.get("due") else time.time() + 60 * given["number"]
    tokens = {"access_token": f"a{given['number']}", "refresh_token": f"r{given['number']}"}
    return Credentials(client_id=given.get("client", "c"), client_secret="s", renew_at=renew_at, **tokens)


def number(token: str | None) -> int | None:
    return None if token is None else int(token.removeprefix("Bearer ")[1:])


def problem(code: str) -> dict[str, Any]:
    return {"type": "", "title": "t", "status": 401, "detail": "d", "code": code, "request_id": "r"}
