"""Each kind of breaking change is caught, and what breaks nobody is let through.

    python3 -m unittest discover openapi/lint
"""

import copy
import json
import pathlib
import unittest

from compatibility import breaking_changes, is_allowed

DOCUMENT = json.loads((pathlib.Path(__file__).parent.parent / "openapi.json").read_text(encoding="utf-8"))


def schema(document, name):
    return document["components"]["schemas"][name]


def member(document, name, member):
    return schema(document, name)["properties"][member]


def login(document):
    return document["paths"]["/login/"]["post"]


class Breaking(unittest.TestCase):
    def expect(self, change, found):
        new = copy.deepcopy(DOCUMENT)
        change(new)
        changes = breaking_changes(DOCUMENT, new)
        self.assertTrue(any(found in line for line in changes), f"{found!r} is not in {changes}")

    def test_an_operation_is_removed(self):
        self.expect(lambda d: d["paths"].pop("/login/"), "POST /login/: the operation is gone")

    def test_an_operation_is_renamed(self):
        self.expect(lambda d: login(d).update(operationId="signIn"), "operationId is another")

    def test_more_credentials_are_asked(self):
        more = [{"clientId": [], "clientSecret": [], "bearer": []}]
        self.expect(lambda d: login(d).update(security=more), "asks for other credentials")

    def test_credentials_are_asked_where_none_were(self):
        asks = [{"clientId": []}]
        self.expect(lambda d: d["paths"]["/signup/"]["post"].update(security=asks), "asks for other credentials")

    def test_a_credential_moves_to_another_header(self):
        def change(document):
            document["components"]["securitySchemes"]["clientId"]["name"] = "X-Client"

        self.expect(change, "asks for other credentials")

    def test_a_parameter_becomes_required(self):
        parameter = {"in": "query", "name": "page", "required": True, "schema": {"type": "integer"}}
        self.expect(lambda d: login(d).update(parameters=[parameter]), "parameter page: is required now")

    def test_a_request_takes_another_media_type(self):
        def change(document):
            content = login(document)["requestBody"]["content"]
            content["application/cbor"] = content.pop("application/json")

        self.expect(change, "application/json is not taken any more")

    def test_a_body_becomes_required(self):
        body = copy.deepcopy(login(DOCUMENT)["requestBody"])
        self.expect(lambda d: d["paths"]["/profile/"]["get"].update(requestBody=body), "a body is required now")

    def test_a_member_of_a_request_is_removed(self):
        self.expect(lambda d: schema(d, "SignupBody")["properties"].pop("address"), "request/address: the member is gone")

    def test_a_new_member_of_a_request_is_required(self):
        def change(document):
            schema(document, "SignupBody")["properties"]["country"] = {"type": "string"}
            schema(document, "SignupBody")["required"].append("country")

        self.expect(change, "request/country: is required now")

    def test_an_optional_member_of_a_request_becomes_required(self):
        self.expect(lambda d: schema(d, "SignupBody")["required"].append("address"), "request/address: is required now")

    def test_a_request_is_narrower(self):
        for narrower in ({"maxLength": 20}, {"minLength": 9}, {"pattern": "^a"}, {"enum": ["a@b.c"]}, {"minProperties": 1}):
            with self.subTest(narrower):
                self.expect(lambda d: member(d, "SignupBody", "email").update(narrower), f"{next(iter(narrower))}: takes less")

    def test_a_value_of_a_requests_enum_is_removed(self):
        old, new = copy.deepcopy(DOCUMENT), copy.deepcopy(DOCUMENT)
        member(old, "LoginBody", "email")["enum"] = ["a", "b"]
        member(new, "LoginBody", "email")["enum"] = ["a"]
        self.assertIn("enum: takes less", breaking_changes(old, new)[0])
        self.assertEqual(breaking_changes(new, old), [])

    def test_an_open_request_is_closed(self):
        old = copy.deepcopy(DOCUMENT)
        schema(old, "LoginBody").pop("additionalProperties")
        self.assertIn("takes no further members", breaking_changes(old, DOCUMENT)[0])

    def test_type_or_format_change(self):
        self.expect(lambda d: member(d, "SignupAnswer", "user_id").update(type="string"), "201/user_id: type is string")
        self.expect(lambda d: member(d, "SignupBody", "email").update(format="uri"), "request/email: format is uri")

    def test_a_way_to_succeed_comes_or_goes(self):
        self.expect(lambda d: login(d)["responses"].update({"202": {"description": ""}}), "202 is a new way to succeed")
        self.expect(lambda d: login(d)["responses"].pop("200"), "200: is not answered any more")

    def test_an_answer_is_of_another_media_type(self):
        self.expect(lambda d: login(d)["responses"]["200"]["content"].clear(), "200: is not application/json any more")

    def test_a_member_of_an_answer_is_removed_or_optional(self):
        self.expect(lambda d: schema(d, "TokenAnswer")["properties"].pop("expires"), "200/expires: the member is gone")
        self.expect(lambda d: schema(d, "TokenAnswer")["required"].remove("expires"), "200/expires: may be left away now")

    def test_an_answer_is_wider(self):
        for wider in ({"maxLength": 50}, {"minLength": 1}, {"pattern": "^.*$"}):
            with self.subTest(wider):
                change = lambda d: member(d, "TokenAnswer", "access_token").update(wider)
                self.expect(change, f"200/access_token: {next(iter(wider))}: may be more")
        self.expect(lambda d: member(d, "TokenAnswer", "expires").update(nullable=True), "200/expires: null: may be more")
        self.expect(lambda d: member(d, "TokenAnswer", "expires_in").pop("maximum"), "200/expires_in: maximum: may be more")

    def test_an_answers_enum_has_a_new_value(self):
        old, new = copy.deepcopy(DOCUMENT), copy.deepcopy(DOCUMENT)
        member(old, "TokenAnswer", "token_type")["enum"] = ["Bearer"]
        member(new, "TokenAnswer", "token_type")["enum"] = ["Bearer", "DPoP"]
        self.assertIn("enum: may be more", breaking_changes(old, new)[0])

    def test_the_members_of_an_answer_change_their_order(self):
        def change(document):
            properties = schema(document, "TokenAnswer")["properties"]
            properties["access_token"] = properties.pop("access_token")

        self.expect(change, "200: the members have another order")

    def test_values_deep_inside_change(self):
        choices = lambda d: member(d, "UpdateProfileBody", "user_preferences")["additionalProperties"]["anyOf"]
        self.expect(lambda d: choices(d).pop(), "anyOf is another choice")
        self.expect(lambda d: choices(d)[0].update(maxLength=1), "anyOf/0: maxLength: takes less")
        self.expect(lambda d: member(d, "SignupAnswer", "roles")["items"].update(type="integer"), "roles/items: type")

    def test_a_header_is_not_always_there(self):
        def change(document):
            document["components"]["headers"]["Retry-After"]["required"] = False

        self.expect(change, "503: the header Retry-After is not always there any more")


class Harmless(unittest.TestCase):
    def expect_none(self, change):
        new = copy.deepcopy(DOCUMENT)
        change(new)
        self.assertNotEqual(new, DOCUMENT)
        self.assertEqual(breaking_changes(DOCUMENT, new), [])

    def test_a_new_operation(self):
        self.expect_none(lambda d: d["paths"].update({"/logout/": copy.deepcopy(d["paths"]["/login/"])}))

    def test_new_optional_members_and_wider_requests(self):
        self.expect_none(lambda d: schema(d, "SignupBody")["properties"].update(country={"type": "string"}))
        self.expect_none(lambda d: member(d, "SignupBody", "email").update(maxLength=300))
        self.expect_none(lambda d: schema(d, "SignupBody")["required"].remove("contact_phone"))

    def test_further_members_and_narrower_answers(self):
        self.expect_none(lambda d: schema(d, "TokenAnswer")["properties"].update(scope={"type": "string"}))
        self.expect_none(lambda d: member(d, "TokenAnswer", "expires_in").update(maximum=7))

    def test_another_error_or_code(self):
        answers = lambda d: login(d)["responses"]
        self.expect_none(lambda d: answers(d).update({"418": copy.deepcopy(answers(d)["401"])}))
        self.expect_none(lambda d: member(d, "Problem", "code")["x-extensible-enum"].append("new_code"))

    def test_fewer_credentials(self):
        self.expect_none(lambda d: login(d).update(security=[{"clientId": []}]))

    def test_other_words(self):
        self.expect_none(lambda d: login(d).update(description="Other words."))


class Versions(unittest.TestCase):
    def test_what_may_break(self):
        for old, new in (("0.1.0", "0.2.0"), ("0.9.3", "1.0.0"), ("1.2.3", "2.0.0")):
            self.assertTrue(is_allowed(old, new), (old, new))
        for old, new in (("0.1.0", "0.1.0"), ("0.1.0", "0.1.9"), ("1.2.3", "1.3.0"), ("2.0.0", "1.9.0")):
            self.assertFalse(is_allowed(old, new), (old, new))


if __name__ == "__main__":
    unittest.main()
