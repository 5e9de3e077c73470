"""The OpenAPI document at /api/v1/openapi.json: the schemas of the resources, who may call, and how errors look."""

from typing import Any

from apiflask import APIFlask

from amplify.core.security import access_of, public

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string", "description": "Dotted path of the first faulty field."},
        "rule": {"type": "string", "description": "Stable name of the broken rule."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "rule", "message"],
                "properties": {name: {"type": "string"} for name in ("field", "rule", "message")},
            },
        },
    },
}
REFUSALS = {
    "400": "Malformed: the request cannot be read.",
    "401": "No living API key.",
    "403": "The key lacks the scope.",
    "404": "No such thing for this brand.",
    "409": "In conflict with what is already stored.",
    "413": "Too large.",
    "415": "Not JSON.",
    "422": "A value breaks a rule; every fault is listed.",
    "429": "Too many requests.",
}
METHODS = ("get", "put", "post", "patch", "delete")


def install(app: APIFlask) -> None:
    """Complete the document that APIFlask collects."""
    app.config.update(
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_SERVERS=False,
        SECURITY_SCHEMES={"apiKey": {"type": "http", "scheme": "bearer", "description": "<prefix>.<secret>"}},
    )
    app.spec_processor(lambda spec: _complete(app, spec) if isinstance(spec, dict) else spec)
    public()(app.view_functions["openapi.spec"])


def _complete(app: APIFlask, spec: dict[str, Any]) -> dict[str, Any]:
    """Errors and scopes of every operation; what is not below /api/v1 is no resource and is left out."""
    spec.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    spec["paths"] = {path: item for path, item in spec.get("paths", {}).items() if path.startswith("/api/v1/")}
    for path, item in spec["paths"].items():
        for method in METHODS:
            if method in item:
                item[method]["security"] = [{"apiKey": []}]
                item[method]["x-scope"] = _scope(app, path, method)
                for status, meaning in REFUSALS.items():
                    item[method].setdefault("responses", {}).setdefault(status, _refusal(meaning))
    return spec


def _refusal(meaning: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": meaning, "content": {"application/problem+json": {"schema": schema}}}


def _scope(app: APIFlask, path: str, method: str) -> str:
    for rule in app.url_map.iter_rules():
        if _as_template(rule.rule) == path and method.upper() in (rule.methods or ()):
            access = access_of(app.view_functions[rule.endpoint])
            return access.names[0] if access and access.names else ""
    return ""


def _as_template(rule: str) -> str:
    """Flask's `<int:id>` as OpenAPI's `{id}`."""
    parts = (f"{{{p.strip('<>').rsplit(':', 1)[-1]}}}" if p.startswith("<") else p for p in rule.split("/"))
    return "/".join(parts)
