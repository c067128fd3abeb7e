from dataclasses import dataclass, field, replace
from typing import Any

import attrs

# The end of the name tells: client_secret, access_token, new_password; but not token_type.
SECRET_ENDINGS = ("secret", "token", "password")


@dataclass(frozen=True)
class Credentials:
    """What a client is known by. Plain values: `dataclasses.asdict` to store them, as you would a password."""

    client_id: str | None = None
    """Of the answer to sign-up."""
    client_secret: str | None = field(default=None, repr=False)
    """Of the answer to sign-up, which shows it once."""
    access_token: str | None = field(default=None, repr=False)
    """Of the last login or refresh."""
    renew_at: float | None = None
    """When the access token wants renewing: seconds since 1970, shortly before its end."""
    refresh_token: str | None = field(default=None, repr=False)
    """Of the last login or refresh; good for one exchange."""

    def without_session(self) -> "Credentials":
        return replace(self, access_token=None, renew_at=None, refresh_token=None)


def hide_secrets(model: Any) -> None:
    """Keeps what a model's members hold of secrets out of its repr."""
    names = [member.name for member in attrs.fields(model)]

    def shown(self: object) -> str:
        values = (f"{name}={'…' if name.endswith(SECRET_ENDINGS) else repr(getattr(self, name))}" for name in names)
        return f"{type(self).__name__}({', '.join(values)})"

    model.__repr__ = shown
