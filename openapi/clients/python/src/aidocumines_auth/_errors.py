from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """A member of the body that breaks a rule; `field` is a JSON Pointer."""

    field: str
    message: str


class AuthError(Exception):
    """The server refused a call. Each code that it knows is a class of its own in `aidocumines_auth.errors`."""

    code: str = ""
    """Stable: what programs go by."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int,
        request_id: str,
        type: str,
        errors: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        """The HTTP status."""
        self.request_id = request_id
        """Quote it when you report a problem."""
        self.type = type
        """A page that explains the code."""
        self.errors = errors
        """Each member of the body that breaks a rule."""
        self.retry_after = retry_after
        """Seconds until another try makes sense, where the server says so."""


class UnexpectedAnswer(Exception):
    """Something between here and the server answered, such as a proxy."""

    code: ClassVar[str] = ""

    def __init__(self, status: int, retry_after: float | None = None) -> None:
        super().__init__(f"an answer that is not the server's, with status {status}")
        self.status = status
        self.retry_after = retry_after
