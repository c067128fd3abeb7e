import sys
from http import HTTPStatus
from typing import TypeVar

from documines_auth import AuthenticatedClient, Client
from documines_auth.api.account import signup
from documines_auth.api.password import request_password_reset, reset_password
from documines_auth.api.profile import get_profile, update_profile
from documines_auth.api.session import login, refresh_token
from documines_auth.models import (
    LoginBody,
    Problem,
    RefreshTokenBody,
    RequestPasswordResetBody,
    ResetPasswordBody,
    SignupBody,
    UpdateProfileBody,
)
from documines_auth.types import Unset

T = TypeVar("T")

BASE = f"{sys.argv[1]}/api/v1/auth"
EMAIL = "john_doe@aidocumines.com"


def answer(parsed: T | Problem | None) -> T:
    """The answer of a call that has to succeed."""
    assert parsed is not None and not isinstance(parsed, Problem), parsed
    return parsed


signed_up = answer(
    signup.sync(
        client=Client(base_url=BASE),
        body=SignupBody(
            username="john_doe",
            email=EMAIL,
            password="SecurePass#456",
            organisation="AI DocuMines User",
            contact_name="John Doe",
            contact_phone="+27 444 555 666",
            contact_email=EMAIL,
            address="456 Doe Street, Cape Town",
            industry="AI Research",
            use_case="Testing user management and admin privileges.",
        ),
    )
)
assert signed_up.message == "User registered successfully"
assert signed_up.last_login is None
assert signed_up.user_preferences["theme"] == "light"

client_headers = {"X-Client-ID": signed_up.client_id, "X-Client-Secret": signed_up.client_secret}


def caller(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=BASE, token=token, headers=client_headers)


# The generator knows one credential a call. Without a session that is the client's id.
anybody = AuthenticatedClient(
    base_url=BASE, token=signed_up.client_id, prefix="", auth_header_name="X-Client-ID", headers=client_headers
)

first = answer(login.sync(client=anybody, body=LoginBody(email=EMAIL, password="SecurePass#456")))
user = caller(first.access_token)
profile = answer(get_profile.sync(client=user))
assert profile.address == "456 Doe Street, Cape Town"

update = UpdateProfileBody(
    contact_name="John Updated", contact_phone="+27 444 555 777", address="789 Updated Street, Cape Town"
)
assert answer(update_profile.sync(client=user, body=update)).message == "Profile updated successfully"
assert answer(get_profile.sync(client=user)).contact_name == "John Updated"

requested = answer(request_password_reset.sync(client=anybody, body=RequestPasswordResetBody(email=EMAIL)))
assert not isinstance(requested.reset_token, Unset)
reset = ResetPasswordBody(token=requested.reset_token, new_password="NewSecurePass#789")
assert answer(reset_password.sync(client=anybody, body=reset)).message == "Password reset successful"

refused = get_profile.sync_detailed(client=user)
assert refused.status_code == HTTPStatus.UNAUTHORIZED
assert isinstance(refused.parsed, Problem) and refused.parsed.code == "invalid_token"

second = answer(login.sync(client=anybody, body=LoginBody(email=EMAIL, password="NewSecurePass#789")))
third = answer(refresh_token.sync(client=anybody, body=RefreshTokenBody(refresh_token=second.refresh_token)))
assert third.access_token != second.access_token
assert answer(get_profile.sync(client=caller(third.access_token))).email == EMAIL
