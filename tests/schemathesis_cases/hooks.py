"""What schemathesis cannot read in the document: credentials that work, and rules that OpenAPI 3.0 has no words for."""

import re
import secrets

import requests
import schemathesis
from hypothesis import strategies as st

HEADERS = {"clientId": "X-Client-ID", "clientSecret": "X-Client-Secret", "bearer": "Authorization"}
PATIENCE = 30
# As in the document's examples.
EMAIL = "thandi.nkosi@example.com"
PASSWORD = "maize-lantern-47-tide"
REFRESH_TOKEN = "h2Vq8sYt0LcXw5RzKe71NbAjUo3DfM"


class Account:
    """An account of the run's own."""

    def __init__(self, base):
        self.base = base.rstrip("/")
        self.email = f"fuzz-{secrets.token_hex(8)}@example.com"
        answer = self.post(
            "/signup/",
            {
                "email": self.email,
                "password": PASSWORD,
                "organisation": "Nkosi Geological Surveys",
                "contact_name": "Thandi Nkosi",
                "contact_phone": "+27 21 555 0147",
            },
        )
        self.client = {"X-Client-ID": answer["client_id"], "X-Client-Secret": answer["client_secret"]}

    def log_in(self):
        return self.post("/login/", {"email": self.email, "password": PASSWORD}, self.client)

    def post(self, path, body, headers=None):
        answer = requests.post(f"{self.base}{path}", json=body, headers=headers, timeout=PATIENCE)
        answer.raise_for_status()
        return answer.json()


class Current:
    account = None


@schemathesis.auth(refresh_interval=30)
class Credentials:
    """Each operation gets the credentials that it asks for, of an account that has just logged in."""

    def get(self, case, context):
        Current.account = Account(case.operation.base_url)
        bearer = Current.account.log_in()["access_token"]
        return Current.account.client | {"Authorization": f"Bearer {bearer}"}

    def set(self, case, data, context):
        for requirement in case.operation.definition.raw.get("security", []):
            for scheme in requirement:
                case.headers[HEADERS[scheme]] = data[HEADERS[scheme]]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Where the document's examples stand for what somebody has, the account's own."""
    path, account = case.operation.path, Current.account
    if account is None or not isinstance(case.body, dict) or path == "/signup/":
        return
    if case.body.get("email") == EMAIL:
        case.body["email"] = account.email
    if case.body.get("refresh_token") == REFRESH_TOKEN:
        case.body["refresh_token"] = account.log_in()["refresh_token"]


# The document's format for what a pattern cannot tell in every dialect: which signs beyond ASCII are letters.
schemathesis.openapi.format(
    "username", st.from_regex(r"[A-Za-z0-9@.+_-]{1,20}|[a-zà-öø-ÿа-яα-ω0-9]{1,20}", fullmatch=True)
)

# What a member that may be null takes for null, beyond what its schema says.
BLANK = re.compile(r"\s*")

GOOD_USERNAME = re.compile(r" *[\w@.+-]{1,150} *")


@schemathesis.hook
def filter_case(context, case):
    """Leaves out a username that is to break its format and keeps it: schemathesis knows how to make one of that format,
    and takes any other string for a violation."""
    broken = getattr(case.meta.phase.data, "description", None) if case.meta is not None else None
    username = case.body.get("username") if isinstance(case.body, dict) else None
    is_about_the_format = broken is not None and "`format`" in broken and broken.endswith("/username")
    if is_cleared_by_a_blank(case):
        return False
    return not (is_about_the_format and isinstance(username, str) and GOOD_USERNAME.fullmatch(username))


def is_cleared_by_a_blank(case):
    members = case.body.items() if isinstance(case.body, dict) else ()
    nullable = ("username", "contact_email", "address", "industry", "use_case")
    return any(name in nullable and isinstance(value, str) and BLANK.fullmatch(value) for name, value in members)


# What a request that keeps its schema can be refused for all the same.
CODES = {"weak_password", "invalid_reset_token", "invalid_verification_token"}
RULES = {
    # OpenAPI 3.0 has bounds for a map's values, but none for its names.
    ("/user_preferences", "must have member names of"),
    # Counted after Unicode normalisation, which can make them more or fewer.
    ("/password", "must be 8 to 128 characters long"),
    ("/new_password", "must be 8 to 128 characters long"),
    ("/username", "must be at most"),
    # Which addresses there are is more than `format: email` tells (RFC 5321 against RFC 5322).
    ("/email", "must be an e-mail address"),
    # Another one is wanted than the account has.
    ("/email", "is the address of this account already"),
    ("/contact_email", "must be an e-mail address"),
}


@schemathesis.check
def what_keeps_its_schema_is_not_invalid(context, response, case):
    """The stricter half of positive_data_acceptance, which knows no codes."""
    is_positive = case.meta is not None and case.meta.generation.mode.is_positive
    if not is_positive or response.status_code != 400:
        return
    problem = response.json()
    if problem["code"] in CODES:
        return
    for error in problem["errors"]:
        is_known = any(error["field"] == field and error["message"].startswith(rule) for field, rule in RULES)
        assert is_known, f"the schema takes it, the server does not: {error['field']} {error['message']}"


# What an answer is good for next: the operation that gives it, the one that takes it, and the members of its body. Not in
# the document itself, for there are generators that take the body of a link for a mistake.
LINKS = [
    ("signup", "login", {"email": "$request.body#/email", "password": "$request.body#/password"}),
    ("login", "refreshToken", {"refresh_token": "$response.body#/refresh_token"}),
    ("refreshToken", "refreshToken", {"refresh_token": "$response.body#/refresh_token"}),
    ("requestPasswordReset", "resetPassword", {"token": "$response.body#/reset_token", "new_password": "copper-heron-82-drift"}),
]


@schemathesis.hook
def before_load_schema(context, raw_schema):
    operations = [one for path in raw_schema["paths"].values() for one in path.values()]
    by_id = {operation["operationId"]: operation for operation in operations}
    for giver, taker, body in LINKS:
        for status, response in by_id[giver]["responses"].items():
            if status.startswith("2"):
                response.setdefault("links", {})[taker] = {"operationId": taker, "requestBody": body}
