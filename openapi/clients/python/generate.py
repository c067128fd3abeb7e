"""Writes what comes from the spec: the models, a method for each operation, an exception for each code."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TYPES = {"string": "str", "boolean": "bool", "integer": "int", "number": "float", "object": "dict[str, Any]"}
JSON = "application/json"


class Generate(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        # In the repository the spec is two folders up; a source distribution carries it.
        spec = next(path for path in (root / "openapi.json", root.parent.parent / "openapi.json") if path.exists())
        generate(spec, root / "src" / "aidocumines_auth")


def generate(spec: Path, package: Path) -> None:
    document = json.loads(spec.read_text())
    target = ["--path", str(spec), "--output-path", str(package / "_generated"), "--meta", "none", "--overwrite"]
    subprocess.run([sys.executable, "-m", "openapi_python_client", "generate", *target], check=True)
    (package / "errors.py").write_text(errors(document))
    (package / "_operations.py").write_text(operations(document))


def errors(document: dict[str, Any]) -> str:
    """A class for each code that any operation answers with."""
    titles = {}
    for _, _, operation in each(document):
        for response in operation["responses"].values():
            examples = response.get("content", {}).get("application/problem+json", {}).get("examples", {})
            titles |= {code: example["summary"] for code, example in examples.items()}
    classes = [
        f'class {pascal(code)}(AuthError):\n    """{title}."""\n\n    code = "{code}"\n\n\n'
        for code, title in sorted(titles.items())
    ]
    names = "".join(f'    "{code}": {pascal(code)},\n' for code in sorted(titles))
    return (
        '"""What the server refuses, an exception for each code."""\n\n'
        "from ._errors import AuthError as AuthError\nfrom ._errors import UnexpectedAnswer as UnexpectedAnswer\n\n\n"
        f"{''.join(classes)}BY_CODE: dict[str, type[AuthError]] = {{\n{names}}}\n"
    )


def operations(document: dict[str, Any]) -> str:
    """Each operation as data, and as a method of the client that waits and of the one that does not."""
    table, methods, models = [], [], set()
    for path, verb, operation in each(document):
        name = snake(operation["operationId"])
        answer = answer_model(operation)
        if answer != "None":
            models.add(answer)
        credentials = sorted(operation.get("security", [{}])[0]) if operation.get("security") else []
        table.append(
            f'{name.upper()} = Operation("{verb.upper()}", "{path}", frozenset({credentials!r}), {answer})\n'
        )
        # Refreshing is the client's own business.
        if name != "refresh_token":
            methods.append(method(document, name, operation, answer))
    imports = "".join(f"    {model},\n" for model in sorted(models))
    waiting = "".join(methods)
    asynchronous = waiting.replace("\n    def ", "\n    async def ").replace(" self._call(", " await self._call(")
    return (
        "from typing import Any\n\n"
        f"from ._generated.models import (\n{imports})\n"
        "from ._generated.types import UNSET, Unset\n"
        "from ._flow import Operation\n\n"
        f'BASE_PATH = "{document["servers"][0]["url"]}"\n\n'
        f"{''.join(table)}\n\n"
        "class Operations:\n"
        "    def _call(self, operation: Operation, path: Any, query: Any, body: Any) -> Any:\n"
        f"        raise NotImplementedError\n{waiting}\n\n"
        "class AsyncOperations:\n"
        "    async def _call(self, operation: Operation, path: Any, query: Any, body: Any) -> Any:\n"
        f"        raise NotImplementedError\n{asynchronous}"
    )


def method(document: dict[str, Any], name: str, operation: dict[str, Any], answer: str) -> str:
    required, optional = [], []
    places: dict[str, dict[str, str]] = {"path": {}, "query": {}}

    def argument(member: str, schema: dict[str, Any], is_required: bool) -> str:
        kind = TYPES.get(schema.get("type", ""), "Any") + (" | None" if schema.get("nullable") else "")
        if is_required:
            required.append(f"{snake(member)}: {kind}")
        else:
            optional.append(f"{snake(member)}: {kind} | Unset = UNSET")
        return snake(member)

    for parameter in operation.get("parameters", []):
        if parameter["in"] in places:
            argument(parameter["name"], parameter["schema"], parameter.get("required", False))
            places[parameter["in"]][parameter["name"]] = snake(parameter["name"])
    body = "None"
    if "requestBody" in operation:
        schema = resolved(document, operation["requestBody"]["content"][JSON]["schema"])
        members = {
            member: argument(member, resolved(document, its), member in schema.get("required", []))
            for member, its in schema["properties"].items()
        }
        body = literal(members)
    arguments = "".join(f", {one}" for one in (["*"] if required or optional else []) + required + optional)
    text = re.sub(r"\s*\n\s*", "\n        ", f"{operation['summary']}.\n{operation.get('description', '')}".strip())
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    return (
        f"\n    def {name}(self{arguments}) -> {answer}:\n"
        f'        """{text}"""\n'
        f"        result: {answer} = "
        f"self._call({name.upper()}, {literal(places['path'])}, {literal(places['query'])}, {body})\n"
        "        return result\n"
    )


def literal(members: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{member}": {name}' for member, name in members.items()) + "}"


def each(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, verb, one) for path, item in document["paths"].items() for verb, one in item.items()]


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/")[-1]]
    return found


def answer_model(operation: dict[str, Any]) -> str:
    success = next(response for status, response in operation["responses"].items() if status.startswith("2"))
    reference: str | None = success.get("content", {}).get(JSON, {}).get("schema", {}).get("$ref")
    return reference.rsplit("/")[-1] if reference else "None"


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def pascal(code: str) -> str:
    return "".join(word.capitalize() for word in code.split("_"))
