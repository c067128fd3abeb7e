import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import httpx

from ._credentials import Credentials
from ._flow import Flow, Load, Operation, Refresh, Save, Session, Wait
from ._operations import BASE_PATH, REFRESH_TOKEN, AsyncOperations, Operations
from .errors import BY_CODE


class AuthClient(Operations):
    """One account's client, for any number of threads.

    It keeps the credentials that sign-up, login and refresh answer, sends with each call those that it wants, refreshes
    the session when its access token ends, and waits where the server is too busy. Each operation of the spec is a
    method.

    `base_url` is where the server is, such as `https://accounts.example.com`. `save` is told of every change of the
    credentials before the call returns; hand back what it got last as `credentials`, or by `load`. With `load` several
    clients share what is saved: each looks there before it refreshes. `retries` is how often a call is
    tried again that the server is too busy for, `longest_wait` the longest wait in seconds that Retry-After may ask for,
    `timeout` the seconds until an answer has to be there; a refresh has four at most, and a second try.

    Methods raise `errors.AuthError` (a class for each code) when the server refuses, `errors.UnexpectedAnswer` when
    something else answered, and `httpx.HTTPError` when nothing did.
    """

    def __init__(
        self,
        base_url: str,
        *,
        credentials: Credentials | None = None,
        save: Callable[[Credentials], None] = lambda _: None,
        load: Callable[[], Credentials | None] = lambda: None,
        retries: int = 3,
        longest_wait: float = 30,
        timeout: float = 30,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = Session(base_url, BASE_PATH, credentials, retries, longest_wait, timeout, BY_CODE)
        self._http = httpx.Client(timeout=timeout)
        self._save = save
        self._load = load
        self._sleep = sleep
        self._lock = threading.Lock()

    @property
    def credentials(self) -> Credentials:
        """What the client is known by, to be stored."""
        return self._session.credentials

    def refresh(self) -> None:
        """Exchanges the refresh token. Threads that want it at the same time share one exchange."""
        self._refresh(self._session.refreshes)

    def forget_session(self) -> None:
        """Forgets the session, and keeps the client."""
        self._run(self._session.keep(self.credentials.without_session()))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session.base_url!r}, {self.credentials!r})"

    def _call(self, operation: Operation, path: Any, query: Any, body: Any) -> Any:
        return self._run(self._session.call(operation, path, query, body))

    def _run(self, flow: Flow) -> Any:
        try:
            step = next(flow)
            while True:
                try:
                    result = self._do(step)
                except Exception as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(result)
        except StopIteration as end:
            return end.value

    def _do(self, step: object) -> Any:
        match step:
            case httpx.Request():
                # The client's own timeout is not the request's when it is sent like this.
                step.extensions.setdefault("timeout", self._http.timeout.as_dict())
                return self._http.send(step)
            case Wait(seconds):
                self._sleep(seconds)
            case Save(credentials):
                self._save(credentials)
            case Load():
                return self._load()
            case Refresh(after):
                self._refresh(after)

    def _refresh(self, after: int) -> None:
        session = self._session
        with self._lock:
            # Whoever waited for the lock takes the outcome of the refresh that it waited for.
            if session.refreshes == after:
                session.failure = None
                try:
                    self._run(session.exchange(REFRESH_TOKEN))
                except Exception as error:
                    session.failure = error
                session.refreshes += 1
            failure = session.failure
        if failure is not None:
            raise failure


class AsyncAuthClient(AsyncOperations):
    """The same for `asyncio`: every method is awaited, and `save` and `load` may be coroutine functions."""

    def __init__(
        self,
        base_url: str,
        *,
        credentials: Credentials | None = None,
        save: Callable[[Credentials], Awaitable[None] | None] = lambda _: None,
        load: Callable[[], Awaitable[Credentials | None] | Credentials | None] = lambda: None,
        retries: int = 3,
        longest_wait: float = 30,
        timeout: float = 30,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = Session(base_url, BASE_PATH, credentials, retries, longest_wait, timeout, BY_CODE)
        self._http = httpx.AsyncClient(timeout=timeout)
        self._save = save
        self._load = load
        self._sleep = sleep
        self._lock = asyncio.Lock()

    @property
    def credentials(self) -> Credentials:
        """What the client is known by, to be stored."""
        return self._session.credentials

    async def refresh(self) -> None:
        """Exchanges the refresh token. Tasks that want it at the same time share one exchange."""
        await self._refresh(self._session.refreshes)

    async def forget_session(self) -> None:
        """Forgets the session, and keeps the client."""
        await self._run(self._session.keep(self.credentials.without_session()))

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session.base_url!r}, {self.credentials!r})"

    async def _call(self, operation: Operation, path: Any, query: Any, body: Any) -> Any:
        return await self._run(self._session.call(operation, path, query, body))

    async def _run(self, flow: Flow) -> Any:
        try:
            step = next(flow)
            while True:
                try:
                    result = await self._do(step)
                except Exception as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(result)
        except StopIteration as end:
            return end.value

    async def _do(self, step: object) -> Any:
        match step:
            case httpx.Request():
                step.extensions.setdefault("timeout", self._http.timeout.as_dict())
                return await self._http.send(step)
            case Wait(seconds):
                await self._sleep(seconds)
            case Save(credentials):
                saving = self._save(credentials)
                if inspect.isawaitable(saving):
                    await saving
            case Load():
                loading = self._load()
                return await loading if inspect.isawaitable(loading) else loading
            case Refresh(after):
                await self._refresh(after)

    async def _refresh(self, after: int) -> None:
        session = self._session
        async with self._lock:
            if session.refreshes == after:
                session.failure = None
                try:
                    await self._run(session.exchange(REFRESH_TOKEN))
                except Exception as error:
                    session.failure = error
                session.refreshes += 1
            failure = session.failure
        if failure is not None:
            raise failure
