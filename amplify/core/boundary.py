"""Where the outside comes in: JSON, queries and forms are read here, bounded and clean, or refused by field and rule.

Flask alone answers 500 to deep arrays, lone surrogates and integers beyond 64 bits, and takes NaN and NUL.
"""

import json
import math
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar, cast

from apiflask.scaffold import APIScaffold
from flask import Flask, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import IntegerConverter
from werkzeug.routing.converters import ValidationError as NoMatch
from werkzeug.wrappers import Request

from amplify.core.errors import Fault, InvalidInput, Malformed, TooLarge, Unsupported
from amplify.core.i18n import lazy_gettext as _l

Model = TypeVar("Model", bound=BaseModel)
View = TypeVar("View", bound=Callable[..., Any])

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1
MAX_FORM_TEXT = 200_000

# pydantic's own names for the rules that callers meet most; the others keep theirs, with dashes.
RULES = {"missing": "required", "extra_forbidden": "unknown-field", "value_error": "invalid"}


def read_json(request: Request) -> Any:
    """The body as plain Python values. Raises Unsupported (415), TooLarge (413) or Malformed (400), naming the rule."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unsupported(_l("A compressed body is not read."), rule="content-encoding")
    if not (request.mimetype == "application/json" or request.mimetype.endswith("+json")):
        raise Unsupported(_l("The body must be application/json."), rule="content-type")
    return read_json_bytes(read_body(request))


def read_body(request: Request) -> bytes:
    """The raw body, as it was signed. Raises TooLarge."""
    try:
        return request.get_data(cache=True)
    except RequestEntityTooLarge as error:
        raise TooLarge(_l("The body is too large."), field="body", rule="max-bytes") from error


def read_json_bytes(body: bytes) -> Any:
    """JSON text as plain values. Raises Malformed: utf-8, json, duplicate-key, number, max-depth, nul, surrogate."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(_l("The body is not UTF-8 text."), field="body", rule="utf-8") from error
    try:
        data = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_refuse_constant,
        )
    except RecursionError as error:
        raise _too_deep("body") from error
    except json.JSONDecodeError as error:
        raise Malformed(_l("The body is not JSON."), field="body", rule="json") from error
    _check_values(data)
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise Malformed(_l("A name stands twice in one object."), field=_shown(twice), rule="duplicate-key")
    return found


def _integer(text: str) -> int:
    if len(text) > 20 or not -MAX_INTEGER - 1 <= (value := int(text)) <= MAX_INTEGER:
        raise Malformed(_l("An integer has at most 64 bits."), field="body", rule="int64")
    return value


def _float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise Malformed(_l("A number is too large."), field="body", rule="finite-number")
    return value


def _refuse_constant(text: str) -> Any:
    raise Malformed(_l("NaN and Infinity are not JSON."), field="body", rule="finite-number")


def _too_deep(path: str) -> Malformed:
    return Malformed(_l("The body is nested too deeply."), field=path, rule="max-depth")


def _check_values(data: Any) -> None:
    """Depth and texts, without recursion."""
    left: list[tuple[str, int, Any]] = [("", 1, data)]
    while left:
        path, depth, value = left.pop()
        if isinstance(value, str):
            _check_text(path or "body", value)
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise _too_deep("body")
            left.extend((f"{path}.{name}".lstrip("."), depth + 1, child) for name, child in _children(value))


def _children(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        yield from ((str(index), child) for index, child in enumerate(value))
        return
    for name, child in value.items():
        _check_text("body", name)
        yield _shown(name), child


def _shown(name: str) -> str:
    """A name from outside, fit to be shown in an error."""
    return name.encode("utf-8", "replace").decode()[:80]


def _check_text(path: str, text: str) -> None:
    if "\0" in text:
        raise Malformed(_l("A text contains the character NUL."), field=path, rule="nul")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise Malformed(_l("A text contains half of a character."), field=path, rule="surrogate")


def parse(model: type[Model], data: Any) -> Model:
    """JSON values as a model, strictly: "9" is no number, true is no number. Raises InvalidInput with every fault."""
    try:
        return model.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        raise InvalidInput(faults_of(error)) from error


def parse_query(model: type[Model], request: Request) -> Model:
    """The query string as a model; a parameter given twice is refused. Raises InvalidInput with every fault."""
    twice = [name for name, values in request.args.lists() if len(values) > 1]
    if twice:
        raise InvalidInput((Fault(_shown(twice[0]), "once", _l("This parameter is given twice.")),))
    try:
        return model.model_validate_strings(request.args.to_dict())
    except ValidationError as error:
        raise InvalidInput(faults_of(error)) from error


def faults_of(error: ValidationError) -> tuple[Fault, ...]:
    """Each fault of a failed validation: dotted path, stable rule name, sentence."""
    return tuple(
        Fault(
            field=".".join(_shown(str(part)) for part in found["loc"]) or "body",
            rule=RULES.get(found["type"], found["type"].replace("_", "-")),
            message=found["msg"],
        )
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    )


def takes(model: type[BaseModel], *, example: Any = None) -> Callable[[View], View]:
    """The view gets the JSON body as `body`, a `model`; the OpenAPI document shows its schema."""
    return _takes(model, "json", "body", lambda: parse(model, read_json(request)), example)


def takes_query(model: type[BaseModel]) -> Callable[[View], View]:
    """The view gets the query string as `query`, a `model`; the OpenAPI document lists its parameters."""
    return _takes(model, "query", "query", lambda: parse_query(model, request))


def _takes(
    model: type[BaseModel], location: str, name: str, read: Callable[[], BaseModel], example: Any = None
) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        # APIFlask's decorator notes the schema on the view; its own reading of the body is left out.
        APIScaffold().input(model, location=location, example=example)(view)

        @wraps(view)
        def taking(*args: Any, **kwargs: Any) -> Any:
            return view(*args, **{name: read()}, **kwargs)

        return cast(View, taking)  # the view's own signature, less the argument that is given here

    return decorate


class _BoundedInteger(IntegerConverter):
    """`<int:id>` beyond 64 bits is no address of ours: 404, not a database error."""

    def to_python(self, value: str) -> Any:
        if len(value) > 18:
            raise NoMatch
        return super().to_python(value)


def check_address() -> None:
    """Path and query carry no NUL. Raises Malformed."""
    for name, value in (*(request.view_args or {}).items(), *request.args.items(multi=True)):
        if isinstance(value, str):
            _check_text(_shown(name), value)


def check_form() -> None:
    """A form's texts are clean and of bearable length. Raises Malformed, TooLarge."""
    for name, value in request.form.items(multi=True):
        _check_text(_shown(name), value)
        if len(value) > MAX_FORM_TEXT:
            raise TooLarge(_l("A text is too long."), field=_shown(name), rule="max-length")


def install(app: Flask) -> None:
    """Addresses are checked before anybody looks at them."""
    app.url_map.converters["int"] = _BoundedInteger
    app.before_request(check_address)
