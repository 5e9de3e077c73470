"""The OpenAPI document and its page say what the API does."""

from typing import Any

from flask import Flask

from amplify.core.api_docs import kind, operations
from tests.client import Client


def document_of(client: Client) -> dict[str, Any]:
    found = client.get("/api/v1/openapi.json").json
    assert isinstance(found, dict)
    return found


def test_every_operation_names_its_key_its_scope_and_its_errors(client: Client) -> None:
    document = document_of(client)
    assert document["openapi"].startswith("3.")
    assert document["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    for operation in operations(document):
        found = document["paths"][operation.path][operation.method.lower()]
        assert found["security"] == [{"apiKey": []}]
        assert operation.scope, operation.path
        assert operation.summary, operation.path
        assert "application/problem+json" in found["responses"]["422"]["content"]


def test_every_api_route_stands_in_the_document(app: Flask, client: Client) -> None:
    documented = set(document_of(client)["paths"])
    served = {
        rule.rule.replace("<int:", "{").replace("<", "{").replace(">", "}")
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and not rule.rule.endswith("openapi.json")
    }
    assert served == documented


def test_the_page_shows_each_operation_in_both_languages(client: Client) -> None:
    document = document_of(client)
    for language, title in (("en", "The API"), ("es", "La API")):
        page = client.get(f"/api/docs?lang={language}").text
        assert f"<h1>{title}</h1>" in page
        for operation in operations(document):
            assert operation.path in page


def test_a_kind_is_said_in_a_few_words() -> None:
    spec = {"components": {"schemas": {"Score": {"type": "integer", "minimum": 0, "maximum": 10}}}}
    assert kind(spec, {"$ref": "#/components/schemas/Score"}) == "integer 0..10"
    assert kind(spec, {"anyOf": [{"type": "string", "maxLength": 80}, {"type": "null"}]}) == "text <= 80"
    assert kind(spec, {"type": "array", "items": {"enum": ["a", "b"]}}) == "list of a | b"
    assert kind(spec, {"type": "string", "format": "date-time"}) == "date-time"
