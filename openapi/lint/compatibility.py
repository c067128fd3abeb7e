"""Holds a document against the last release's: whoever could call that may call this, and understands what it answers.

    python3 compatibility.py released.json openapi.json

Ends with 1 where a change breaks callers and the version does not say so: by semantic versioning a breaking change moves
the major version, before 1.0.0 the minor one. Where it cannot tell that a change is harmless (another pattern, another
choice of schemas), it takes it for breaking.

Not breaking: a new operation, an optional member in a request, a further member at the end of an answer, a further code
of errors, another example or text.
"""

import json
import sys

LOWER_BOUNDS = ("minLength", "minimum", "minItems", "minProperties")
UPPER_BOUNDS = ("maxLength", "maximum", "maxItems", "maxProperties")
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def breaking_changes(old, new):
    """Each change that breaks callers, as a line that names where it is."""
    return list(Comparison(old, new).of_operations())


def is_allowed(old_version, new_version):
    """Whether the step between these versions may break callers."""
    old, new = (tuple(int(part) for part in version.split(".")[:3]) for version in (old_version, new_version))
    significant = 1 if old[0] > 0 else 2
    return new[:significant] > old[:significant]


class Comparison:
    def __init__(self, old, new):
        self.old, self.new = old, new

    def of_operations(self):
        for path, old_item in self.old["paths"].items():
            for method in METHODS:
                if method not in old_item:
                    continue
                place = f"{method.upper()} {path}"
                operation = self.new["paths"].get(path, {}).get(method)
                if operation is None:
                    yield f"{place}: the operation is gone"
                else:
                    yield from self.of_operation(place, old_item[method], operation)

    def of_operation(self, place, old, new):
        if old.get("operationId") != new.get("operationId"):
            yield f"{place}: operationId is another: generated clients name their functions by it"
        yield from self.of_security(place, old, new)
        yield from self.of_parameters(place, old, new)
        yield from self.of_request(place, old.get("requestBody"), new.get("requestBody"))
        yield from self.of_answers(place, old["responses"], new["responses"])

    def of_security(self, place, old, new):
        asked = [alternative(self.new, one) for one in new.get("security", self.new.get("security", [])) or [{}]]
        for one in old.get("security", self.old.get("security", [])) or [{}]:
            sent = alternative(self.old, one)
            if not any(wanted <= sent for wanted in asked):
                yield f"{place}: asks for other credentials than {sorted(one) or 'none'}"

    def of_parameters(self, place, old, new):
        known = {(one["in"], one["name"]): one for one in old.get("parameters", [])}
        for parameter in new.get("parameters", []):
            before = known.get((parameter["in"], parameter["name"]))
            at = f"{place}: parameter {parameter['name']}"
            if parameter.get("required") and not (before or {}).get("required"):
                yield f"{at}: is required now"
            if before:
                yield from self.of_schema(at, before["schema"], parameter["schema"], is_request=True)

    def of_request(self, place, old, new):
        if new and new.get("required") and not (old or {}).get("required"):
            yield f"{place}: a body is required now"
        for media_type, content in ((old or {}).get("content") or {}).items():
            now = ((new or {}).get("content") or {}).get(media_type)
            if now is None:
                yield f"{place}: {media_type} is not taken any more"
            else:
                yield from self.of_schema(f"{place}: request", content["schema"], now["schema"], is_request=True)

    def of_answers(self, place, old, new):
        for status in new:
            if status.startswith("2") and status not in old:
                yield f"{place}: {status} is a new way to succeed"
        for status, answer in old.items():
            at = f"{place}: {status}"
            if status not in new:
                if status.startswith("2"):
                    yield f"{at}: is not answered any more"
                continue
            for name, header in answer.get("headers", {}).items():
                header = resolved(self.old, header)
                now = resolved(self.new, new[status].get("headers", {}).get(name, {}))
                if header.get("required") and not now.get("required"):
                    yield f"{at}: the header {name} is not always there any more"
                elif "schema" in header and "schema" in now:
                    yield from self.of_schema(f"{at}: {name}", header["schema"], now["schema"], is_request=False)
            for media_type, content in answer.get("content", {}).items():
                now = new[status].get("content", {}).get(media_type)
                if now is None:
                    yield f"{at}: is not {media_type} any more"
                else:
                    yield from self.of_schema(at, content["schema"], now["schema"], is_request=False)

    def of_schema(self, place, old, new, is_request, seen=()):
        """A request may be taken more widely, an answer may be given more narrowly; never the other way."""
        pair = (old.get("$ref"), new.get("$ref"))
        if pair != (None, None):
            if pair in seen:
                return
            seen = (*seen, pair)
        old, new = resolved(self.old, old), resolved(self.new, new)
        narrow, wide = (old, new) if is_request else (new, old)
        verb = "takes less" if is_request else "may be more"

        for name in ("type", "format", "multipleOf", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"):
            if old.get(name) != new.get(name):
                yield f"{place}: {name} is {new.get(name)}, was {old.get(name)}"
        if wide.get("pattern") not in (None, narrow.get("pattern")):
            yield f"{place}: pattern: {verb}"
        if narrow.get("nullable") and not wide.get("nullable"):
            yield f"{place}: null: {verb}"
        if "enum" in wide and not ("enum" in narrow and all(value in wide["enum"] for value in narrow["enum"])):
            yield f"{place}: enum: {verb}"
        for names, is_outside in ((LOWER_BOUNDS, lambda a, b: a < b), (UPPER_BOUNDS, lambda a, b: a > b)):
            for name in names:
                if name in wide and (name not in narrow or is_outside(narrow[name], wide[name])):
                    yield f"{place}: {name}: {verb}"

        yield from self.of_members(place, old, new, is_request, seen)
        for name in sorted({"items", "additionalProperties", "not"} & (old.keys() | new.keys())):
            before, now = old.get(name, {}), new.get(name, {})
            if isinstance(before, dict) and isinstance(now, dict):
                yield from self.of_schema(f"{place}/{name}", before, now, is_request, seen)
            elif now is False and is_request:
                yield from () if before is False else (f"{place}: takes no further members any more",)
        for name in ("allOf", "anyOf", "oneOf"):
            before, now = old.get(name, []), new.get(name, [])
            if len(before) != len(now):
                yield f"{place}: {name} is another choice"
            for at, (one, other) in enumerate(zip(before, now)):
                yield from self.of_schema(f"{place}/{name}/{at}", one, other, is_request, seen)

    def of_members(self, place, old, new, is_request, seen):
        before, now = old.get("properties", {}), new.get("properties", {})
        was_required, is_required = set(old.get("required", [])), set(new.get("required", []))
        for name, schema in before.items():
            if name not in now:
                yield f"{place}/{name}: the member is gone"
            else:
                yield from self.of_schema(f"{place}/{name}", schema, now[name], is_request, seen)
        if is_request:
            for name in sorted(is_required - was_required):
                yield f"{place}/{name}: is required now"
        else:
            for name in sorted((was_required - is_required) & set(now)):
                yield f"{place}/{name}: may be left away now"
            if [name for name in now if name in before] != [name for name in before if name in now]:
                yield f"{place}: the members have another order"


def alternative(document, requirement):
    """What is sent for a security requirement: the schemes themselves, whatever they are called."""
    schemes = document.get("components", {}).get("securitySchemes", {})
    told = ("type", "in", "name", "scheme")
    return {tuple(schemes.get(name, {}).get(member, name) for member in told) for name in requirement}


def resolved(document, value):
    while "$ref" in value:
        target = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        value = target
    return value


def main(released, current):
    with open(released, encoding="utf-8") as old, open(current, encoding="utf-8") as new:
        old, new = json.load(old), json.load(new)
    changes = breaking_changes(old, new)
    versions = old["info"]["version"], new["info"]["version"]
    print(*changes, sep="\n", end="\n" if changes else "")
    if changes and not is_allowed(*versions):
        print(f"{len(changes)} breaking changes from {versions[0]} to {versions[1]}: keep to the release, or move the version")
        return 1
    print(f"compatible: {versions[0]} to {versions[1]}, {len(changes)} breaking changes")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
