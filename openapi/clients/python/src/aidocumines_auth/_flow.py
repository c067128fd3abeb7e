"""What a client does, apart from how it waits: one generator, run by the client that blocks and by the one that awaits."""

import json
import random
import re
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx

from ._credentials import Credentials
from ._errors import AuthError, FieldError, UnexpectedAnswer
from ._generated.types import UNSET


@dataclass(frozen=True)
class Operation:
    """How an operation is called, and with which credentials."""

    method: str
    path: str
    credentials: frozenset[str]
    answer: Any


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Save:
    credentials: Credentials


@dataclass(frozen=True)
class Load:
    """Wants what was saved last, perhaps by another process."""


@dataclass(frozen=True)
class Refresh:
    """Wants a refresh that ends after the one with this number."""

    after: int


Step = httpx.Request | Wait | Save | Load | Refresh
Flow = Generator[Step, Any, Any]

REFRESH_TIMEOUT = 4.0
"""Seconds for the answer to a refresh. The server exchanges a spent token again for ten seconds, for a caller whom the answer
did not reach: two tries fit in."""


class Session:
    """The credentials, and the rules by which they are used."""

    def __init__(
        self,
        base_url: str,
        base_path: str,
        credentials: Credentials | None,
        retries: int,
        longest_wait: float,
        timeout: float,
        errors: Any,
    ) -> None:
        self.base_url = base_url.strip().rstrip("/") + base_path
        self.credentials = credentials or Credentials()
        self.has_begun = credentials is not None
        self.timeout = timeout
        self.retries = retries
        self.longest_wait = longest_wait
        self.errors: dict[str, type[AuthError]] = errors
        self.refreshes = 0
        self.failure: Exception | None = None

    def call(self, operation: Operation, path: dict[str, Any], query: dict[str, Any], body: Any) -> Flow:
        """The call, with a refresh before or in the middle of it where that is wanted."""
        call = (operation, path, query, body)
        if not self.has_begun:
            self.has_begun = True
            yield from self.take_over()
        if "bearer" not in operation.credentials:
            return (yield from self.send(*call))
        seen = self.refreshes
        if self.credentials.refresh_token is not None and self.is_due():
            try:
                yield Refresh(seen)
            except (AuthError, UnexpectedAnswer, httpx.HTTPError) as error:
                # Not yet at its end: as long as the session lives, the call may be tried with what there is.
                if error_code(error) == "invalid_refresh_token":
                    raise
        seen = self.refreshes
        try:
            return (yield from self.send(*call))
        except AuthError as error:
            if error.code != "invalid_token" or self.credentials.refresh_token is None:
                raise
        yield Refresh(seen)
        return (yield from self.send(*call))

    def exchange(self, operation: Operation) -> Flow:
        """Exchanges the refresh token, unless another has done so. Only one at a time may run."""
        is_taken_over = yield from self.take_over()
        while not is_taken_over or self.is_due():
            spent = self.credentials.refresh_token
            if spent is None:
                raise RuntimeError("there is no session to refresh: log in first")
            try:
                yield from self.send(operation, {}, {}, {"refresh_token": spent}, spent)
                return
            except AuthError as error:
                if error.code != "invalid_refresh_token" or self.credentials.refresh_token != spent:
                    raise
                # Another may have done so just now.
                is_taken_over = yield from self.take_over()
                if not is_taken_over:
                    yield from self.keep(self.credentials.without_session())
                    raise

    def take_over(self) -> Flow:
        """Goes on with the tokens that another with the same credentials has saved since; says whether there are any."""
        ours: Credentials = self.credentials
        stored: Credentials | None = yield Load()
        if stored is None or ours.client_id not in (None, stored.client_id):
            return False
        is_another = stored.refresh_token not in (None, ours.refresh_token)
        is_newer = ours.renew_at is None or stored.renew_at is None or stored.renew_at > ours.renew_at
        if ours != Credentials() and not (is_another and is_newer):
            return False
        self.credentials = stored
        return is_another

    def is_due(self) -> bool:
        return self.credentials.renew_at is not None and self.credentials.renew_at <= time.time()

    def send(
        self, operation: Operation, path: dict[str, Any], query: dict[str, Any], body: Any, spent: str | None = None
    ) -> Flow:
        """Sends, and sends again where that is safe."""
        tries = 0
        is_lost = False
        while True:
            request = self.request(operation, path, query, body)
            if spent is not None:
                request.extensions["timeout"] = httpx.Timeout(min(self.timeout, REFRESH_TIMEOUT)).as_dict()
            try:
                response: httpx.Response = yield request
            except httpx.TransportError:
                # The server may have exchanged the token, and does so once more if it is asked soon.
                if spent is None or is_lost:
                    raise
                is_lost = True
                continue
            if response.is_success:
                answer = response.json() if response.content else None
                yield from self.learn(answer, spent)
                return operation.answer.from_dict(answer) if operation.answer else None
            error = self.error_of(response)
            if spent is not None and not is_lost and isinstance(error, UnexpectedAnswer) and error.status >= 500:
                is_lost = True
                continue
            wait = error.retry_after if wait_is_safe(operation, error) else None
            if wait is None or wait > self.longest_wait or tries >= self.retries:
                raise error
            tries += 1
            # Never earlier than asked; a little later, so that those who were sent away together do not return together.
            yield Wait(wait + random.random() * (0.25 + wait / 4))

    def request(
        self, operation: Operation, path: dict[str, Any], query: dict[str, Any], body: Any
    ) -> httpx.Request:
        filled = re.sub(r"\{(\w+)\}", lambda name: quote(str(path[name[1]]), safe=""), operation.path)
        known = self.credentials
        headers = {"Accept": "application/json, application/problem+json"}
        if "clientId" in operation.credentials and known.client_id:
            headers["X-Client-ID"] = known.client_id
        if "clientSecret" in operation.credentials and known.client_secret:
            headers["X-Client-Secret"] = known.client_secret
        if "bearer" in operation.credentials and known.access_token:
            headers["Authorization"] = f"Bearer {known.access_token}"
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(given(body))
        url = self.base_url + filled
        return httpx.Request(operation.method, url, params=given(query), headers=headers, content=content)

    def learn(self, answer: Any, spent: str | None) -> Flow:
        """Keeps the credentials in an answer: a new client's, or a session's next pair of tokens."""
        if not isinstance(answer, dict):
            return
        if "client_id" in answer and "client_secret" in answer:
            yield from self.keep(Credentials(client_id=answer["client_id"], client_secret=answer["client_secret"]))
        # Who logged in while a refresh was on its way keeps the newer session.
        is_current = spent is None or spent == self.credentials.refresh_token
        if "access_token" in answer and "refresh_token" in answer and is_current:
            # By our own clock, which the server's need not agree with; ahead by a tenth, at most 30 seconds.
            lasts = answer["expires_in"] - min(30, answer["expires_in"] / 10)
            tokens = {"access_token": answer["access_token"], "refresh_token": answer["refresh_token"]}
            yield from self.keep(replace(self.credentials, renew_at=time.time() + lasts, **tokens))

    def keep(self, credentials: Credentials) -> Flow:
        self.credentials = credentials
        yield Save(credentials)

    def error_of(self, response: httpx.Response) -> AuthError | UnexpectedAnswer:
        retry_after = seconds(response.headers.get("Retry-After"))
        try:
            problem = response.json()
            is_problem = response.headers.get("Content-Type", "").startswith("application/problem+json")
            if not is_problem:
                raise ValueError
            return self.errors.get(problem["code"], AuthError)(
                f"{problem['title']}: {problem['detail']}",
                code=problem["code"],
                status=problem["status"],
                request_id=problem["request_id"],
                type=problem["type"],
                errors=tuple(FieldError(one["field"], one["message"]) for one in problem.get("errors", ())),
                retry_after=retry_after,
            )
        except (ValueError, KeyError, TypeError):
            return UnexpectedAnswer(response.status_code, retry_after)


def wait_is_safe(operation: Operation, error: AuthError | UnexpectedAnswer) -> bool:
    """Whether the call may be sent again. 429 is said before a call is looked at, and the server's own 503 when it did
    nothing. What a proxy's 503 leaves open only matters where a call done twice is not the same as done once."""
    is_ours = error.code in ("overloaded", "unavailable")
    is_idempotent = operation.method in ("GET", "PUT", "DELETE")
    return error.status == 429 or (error.status == 503 and (is_ours or is_idempotent))


def error_code(error: Exception) -> str | None:
    return error.code if isinstance(error, AuthError) else None


def given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not UNSET}


def seconds(header: str | None) -> float | None:
    """Retry-After in seconds; it may be a number or a date (RFC 9110, section 10.2.3)."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return int(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
