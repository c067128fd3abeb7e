import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from support import PASSWORD, Answer, fake, refusal
from test_session import PROFILE, tokens

from aidocumines_auth import AsyncAuthClient, AuthClient, errors


def calling(
    script: Callable[[str, int], Answer], use: Callable[[AuthClient], object], retries: int = 3
) -> tuple[int, list[float]]:
    """Calls that server with a client whose waits take no time; gives the number of calls and the waits in seconds."""
    waits: list[float] = []
    with fake(script) as (url, calls), AuthClient(url, sleep=waits.append, retries=retries) as auth:
        use(auth)
    return len(calls), waits


def login(auth: AuthClient) -> object:
    return auth.login(email="a@example.com", password=PASSWORD)


def refused(kind: type[Exception], call: Callable[[AuthClient], object]) -> Callable[[AuthClient], object]:
    def use(auth: AuthClient) -> None:
        with pytest.raises(kind):
            call(auth)

    return use


@pytest.mark.parametrize("status, code", [(429, "rate_limited"), (503, "overloaded"), (503, "unavailable")])
def test_it_is_waited_for_and_the_login_then_goes_through(status: int, code: str) -> None:
    def script(_: str, number: int) -> Answer:
        return refusal(status, code, "2") if number < 3 else Answer(200, tokens("a"))

    calls, waits = calling(script, login)
    assert calls == 3 and len(waits) == 2 and all(2 <= wait < 3 for wait in waits)

    async def awaited() -> None:
        later: list[float] = []

        async def sleep(seconds: float) -> None:
            later.append(seconds)

        with fake(script) as (url, calls):
            async with AsyncAuthClient(url, sleep=sleep) as auth:
                await auth.login(email="a@example.com", password=PASSWORD)
        assert len(calls) == 3 and all(2 <= wait < 3 for wait in later)

    asyncio.run(awaited())


def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)

    def script(_: str, number: int) -> Answer:
        return refusal(429, "rate_limited", date) if number < 2 else Answer(200, PROFILE)

    _, waits = calling(script, AuthClient.get_profile)
    assert 10 < waits[0] < 30


def test_it_gives_up_after_as_many_tries_as_it_was_told() -> None:
    calls, _ = calling(lambda _, __: refusal(503, "overloaded", "1"), refused(errors.Overloaded, login), retries=2)
    assert calls == 3


def test_it_does_not_wait_longer_than_it_was_told() -> None:
    def script(_: str, __: int) -> Answer:
        return refusal(429, "rate_limited", "900")

    assert calling(script, refused(errors.AuthError, AuthClient.get_profile)) == (1, [])


def test_it_does_not_try_again_where_nobody_said_when() -> None:
    def script(_: str, __: int) -> Answer:
        return refusal(503, "unavailable")

    assert calling(script, refused(errors.Unavailable, AuthClient.get_profile)) == (1, [])


def test_a_proxys_503_is_tried_again_where_doing_it_twice_is_the_same_and_nowhere_else() -> None:
    def script(_: str, number: int) -> Answer:
        return Answer(503, "busy", "1", "text/html") if number < 2 else Answer(200, PROFILE)

    assert calling(script, AuthClient.get_profile)[0] == 2
    assert calling(script, refused(errors.UnexpectedAnswer, login)) == (1, [])


def test_other_errors_are_not_tried_again() -> None:
    def script(_: str, __: int) -> Answer:
        return refusal(500, "internal", "1")

    assert calling(script, refused(errors.Internal, AuthClient.get_profile)) == (1, [])
