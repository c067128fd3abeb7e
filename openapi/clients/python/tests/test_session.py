import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import pytest
from support import LIVE, PASSWORD, STALE, Answer, counted, fake, logged_in, refusal

from aidocumines_auth import AsyncAuthClient, AuthClient, Credentials, errors

EXPIRED = {
    "that the server refuses": {"access_token": STALE},
    "that is about to end": {"renew_at": 0.0},
}


def test_the_whole_walk() -> None:
    auth, email = logged_in()
    assert auth.get_profile().email == email
    assert auth.update_profile(contact_name="John Updated").message == "Profile updated successfully"
    assert auth.get_profile().contact_name == "John Updated"
    auth.update_profile(address="12 Protea Lane")
    auth.update_profile(address=None)
    assert auth.get_profile().address is None

    token = auth.request_password_reset(email=email).reset_token
    assert isinstance(token, str)
    auth.reset_password(token=token, new_password="NewSecurePass#789")
    with pytest.raises(errors.InvalidRefreshToken):
        auth.get_profile()
    assert auth.credentials == auth.credentials.without_session()

    auth.login(email=email, password="NewSecurePass#789")
    before = auth.credentials.access_token
    auth.refresh()
    assert auth.credentials.access_token != before
    assert auth.get_profile().email == email


def test_who_lost_the_client_gets_a_new_one_by_a_reset() -> None:
    _, email = logged_in()
    saved: list[Credentials] = []
    auth = AuthClient(LIVE, save=saved.append)
    token = auth.request_password_reset(email=email).reset_token
    assert isinstance(token, str)
    done = auth.reset_password(token=token, new_password="NewSecurePass#789", new_client=True)
    assert [(one.client_id, one.client_secret) for one in saved] == [(done.client_id, done.client_secret)]
    auth.login(email=email, password="NewSecurePass#789")
    assert auth.get_profile().email == email


@pytest.mark.parametrize("expired", EXPIRED.values(), ids=EXPIRED.keys())
def test_twenty_threads_at_once_lead_to_one_refresh(expired: dict[str, Any]) -> None:
    first, email = logged_in()
    saved: list[Credentials] = []
    auth = AuthClient(LIVE, credentials=replace(first.credentials, **expired), save=saved.append)
    before = counted("refreshToken")
    with ThreadPoolExecutor(20) as threads:
        profiles = list(threads.map(lambda _: auth.get_profile(), range(20)))
    assert {profile.email for profile in profiles} == {email}
    assert counted("refreshToken") - before == 1
    assert saved == [auth.credentials]


@pytest.mark.parametrize("expired", EXPIRED.values(), ids=EXPIRED.keys())
def test_twenty_tasks_at_once_lead_to_one_refresh(expired: dict[str, Any]) -> None:
    first, email = logged_in()
    saved: list[Credentials] = []

    async def save(credentials: Credentials) -> None:
        await asyncio.sleep(0)
        saved.append(credentials)

    async def twenty() -> set[str]:
        async with AsyncAuthClient(LIVE, credentials=replace(first.credentials, **expired), save=save) as auth:
            profiles = await asyncio.gather(*(auth.get_profile() for _ in range(20)))
            assert saved == [auth.credentials]
        return {profile.email for profile in profiles}

    before = counted("refreshToken")
    assert asyncio.run(twenty()) == {email}
    assert counted("refreshToken") - before == 1


def test_threads_that_wait_for_a_refresh_share_its_failure() -> None:
    first, _ = logged_in()
    auth = AuthClient(LIVE, credentials=replace(first.credentials, access_token=STALE, refresh_token=STALE))

    def code(_: int) -> str:
        try:
            auth.get_profile()
        except errors.AuthError as error:
            return error.code
        return "none"

    before = counted("refreshToken")
    with ThreadPoolExecutor(20) as threads:
        codes = set(threads.map(code, range(20)))
    # Who comes when the session is forgotten already sends the stale token, and hears that of it.
    assert "invalid_refresh_token" in codes and codes <= {"invalid_refresh_token", "invalid_token"}
    assert counted("refreshToken") - before == 1
    assert auth.credentials == first.credentials.without_session()


def test_a_client_set_up_from_what_was_saved_goes_on_with_the_session() -> None:
    stored: list[dict[str, Any]] = []
    _, email = logged_in(save=lambda credentials: stored.append(asdict(credentials)))
    assert AuthClient(LIVE, credentials=Credentials(**stored[-1])).get_profile().email == email


def test_who_logs_in_while_a_refresh_is_on_its_way_keeps_the_new_session() -> None:
    auth: AuthClient

    def script(path: str, _: int) -> Answer:
        if "refresh" in path:
            auth.login(email="a@example.com", password=PASSWORD)
        name = "old" if "refresh" in path else "new"
        return Answer(200, tokens(name))

    with fake(script) as (url, _):
        auth = AuthClient(url, credentials=Credentials(refresh_token="spent"))
        auth.refresh()
        assert auth.credentials.access_token == "new"


def test_a_session_whose_refresh_meets_a_busy_server_is_kept() -> None:
    def script(path: str, _: int) -> Answer:
        return refusal(503, "unavailable") if "refresh" in path else Answer(200, PROFILE)

    with fake(script) as (url, calls):
        auth = AuthClient(url, credentials=Credentials(access_token="t", renew_at=0, refresh_token="r"))
        assert auth.get_profile().email == "a@example.com"
        assert auth.credentials.refresh_token == "r" and len(calls) == 2


def test_refusals_are_told_apart_by_their_class() -> None:
    auth, email = logged_in()
    with pytest.raises(errors.InvalidCredentials) as wrong:
        auth.login(email=email, password="wrong")
    assert (wrong.value.status, wrong.value.code) == (401, "invalid_credentials")
    assert len(wrong.value.request_id) == 36
    with pytest.raises(errors.InvalidRequest) as invalid:
        auth.update_profile(contact_phone="none")
    assert invalid.value.errors[0].field == "/contact_phone"
    with pytest.raises(errors.InvalidClient):
        AuthClient(LIVE).get_profile()
    with pytest.raises(RuntimeError, match="log in first"):
        AuthClient(LIVE).refresh()


def test_a_code_of_a_newer_server_is_an_error_too() -> None:
    with fake(lambda _, __: refusal(418, "teapot")) as (url, _):
        with pytest.raises(errors.AuthError) as refused:
            AuthClient(url).get_profile()
    assert refused.value.code == "teapot"


def test_no_secret_is_shown_by_accident() -> None:
    auth, email = logged_in()
    again = auth.login(email=email, password=PASSWORD)
    shown = f"{auth!r} {auth} {auth.credentials!r} {again!r} {[again]}"
    known = auth.credentials
    for secret in (known.client_secret, known.access_token, known.refresh_token):
        assert secret is not None and secret not in shown
    assert "…" in shown and again.access_token == known.access_token


def test_a_redirect_does_not_carry_the_credentials_elsewhere() -> None:
    def script(_: str, __: int) -> Answer:
        answer = Answer(307, {})
        answer.headers["Location"] = f"{LIVE}/livez"
        return answer

    with fake(script) as (url, calls), pytest.raises(errors.UnexpectedAnswer):
        AuthClient(url, credentials=Credentials(client_id="c", access_token="t")).get_profile()
    assert len(calls) == 1


def tokens(name: str) -> dict[str, Any]:
    end = time.strftime("%Y-%m-%d %H:%M:%S")
    pair = {"access_token": name, "refresh_token": name, "expires": end, "refresh_expires": end}
    return pair | {"token_type": "Bearer", "expires_in": 60}


PROFILE = {
    "email": "a@example.com",
    "organisation": "o",
    "contact_name": "n",
    "contact_phone": "+27 444 555 666",
    "address": None,
    "industry": None,
    "use_case": None,
}
