"""Client for documines-auth, the AI DocuMines accounts server."""

from . import errors as errors
from ._client import AsyncAuthClient as AsyncAuthClient
from ._client import AuthClient as AuthClient
from ._credentials import Credentials as Credentials
from ._credentials import hide_secrets
from ._errors import AuthError as AuthError
from ._errors import FieldError as FieldError
from ._errors import UnexpectedAnswer as UnexpectedAnswer
from ._generated import models as models

for _name in models.__all__:
    hide_secrets(getattr(models, _name))
