"""The API's page for people: read from the OpenAPI document, so that the two cannot differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apiflask import APIFlask
from flask import render_template

from amplify.core.boundary import MAX_INTEGER
from amplify.core.openapi import METHODS, REFUSALS
from amplify.core.security import public


@dataclass(frozen=True)
class Field:
    """One value that goes in: where, its name, kind, and what the document says of it."""

    where: str
    name: str
    kind: str
    is_required: bool
    text: str


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    method: str
    path: str
    summary: str
    text: str
    scope: str
    fields: list[Field]
    answers: list[tuple[str, str]]


def operations(spec: dict[str, Any]) -> list[Operation]:
    """Every operation of an OpenAPI document, in the order of its addresses."""
    return [
        _operation(spec, method, path, item[method])
        for path, item in sorted(spec["paths"].items())
        for method in METHODS
        if method in item
    ]


def _operation(spec: dict[str, Any], method: str, path: str, found: dict[str, Any]) -> Operation:
    answers = [(code, said.get("description", "")) for code, said in found.get("responses", {}).items()]
    return Operation(
        method=method.upper(),
        path=path,
        summary=found.get("summary", ""),
        text=found.get("description", ""),
        scope=found.get("x-scope", ""),
        fields=[*_parameters(spec, found), *_body(spec, found)],
        answers=[answer for answer in answers if answer[0] not in REFUSALS],
    )


def _parameters(spec: dict[str, Any], found: dict[str, Any]) -> Iterator[Field]:
    for given in found.get("parameters", []):
        schema = given.get("schema", {})
        text = given.get("description") or schema.get("description", "")
        yield Field(given["in"], given["name"], kind(spec, schema), bool(given.get("required")), text)


def _body(spec: dict[str, Any], found: dict[str, Any]) -> Iterator[Field]:
    content = found.get("requestBody", {}).get("content", {})
    yield from _members(spec, content.get("application/json", {}).get("schema", {}), "")


def _members(spec: dict[str, Any], schema: dict[str, Any], prefix: str) -> Iterator[Field]:
    schema = _resolved(spec, schema)
    for name, part in schema.get("properties", {}).items():
        text = part.get("description", "")
        yield Field("body", prefix + name, kind(spec, part), name in schema.get("required", ()), text)
        for inner in [part, *part.get("anyOf", ())]:
            yield from _members(spec, inner, f"{prefix}{name}.")


def _resolved(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    found: dict[str, Any] = spec["components"]["schemas"][reference.rsplit("/", 1)[-1]] if reference else schema
    return found


def kind(spec: dict[str, Any], schema: dict[str, Any]) -> str:
    """What a schema takes, in a few words: "integer 0..10", "text <= 80", "list of text"."""
    schema = _resolved(spec, schema)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        kinds = (kind(spec, choice) for choice in choices if choice.get("type") != "null")
        return " | ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    plain = str(schema.get("type", ""))
    name = str(schema.get("format") or {"string": "text", "array": "list"}.get(plain, plain))
    if name == "list":
        name = f"list of {kind(spec, schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    if high == MAX_INTEGER:
        high = None
    if low is not None or high is not None:
        return f"{name} {'' if low is None else low}..{'' if high is None else high}"
    return f"{name} <= {schema['maxLength']}" if "maxLength" in schema else name


def install(app: APIFlask) -> None:
    """The page at /api/docs."""

    @app.get("/api/docs")
    @app.doc(hide=True)
    @public()
    def api_docs() -> str:
        """What the API can do, and how to call it."""
        spec: Any = app.spec
        return render_template("api/docs.html", operations=operations(spec), refusals=REFUSALS)
