"""What comes in from outside is bounded and clean, or refused with field and rule; nothing makes a crash."""

import json
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from werkzeug.datastructures import Headers
from werkzeug.routing.converters import ValidationError as NoMatch
from werkzeug.test import EnvironBuilder

from amplify.core.boundary import MAX_DEPTH, parse, read_json, read_json_bytes
from amplify.core.errors import InvalidInput, Malformed, TooLarge, Unsupported


def request(body: bytes, limit: int | None = None, **headers: str) -> Request:
    named = Headers({"Content-Type": "application/json"})
    for name, value in headers.items():
        named[name.replace("_", "-")] = value
    found = Request(EnvironBuilder(method="POST", data=body, headers=named).get_environ())
    found.max_content_length = limit
    return found


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b'{"a": 1', "json"),
        (b"", "json"),
        (b"\xff\xfe", "utf-8"),
        (b'{"a": "\xc3"}', "utf-8"),
        (b'{"a": NaN}', "finite-number"),
        (b'{"a": -Infinity}', "finite-number"),
        (b'{"a": 1e999}', "finite-number"),
        (b'{"a": 9223372036854775808}', "int64"),
        (b'{"a": ' + b"9" * 5000 + b"}", "int64"),
        (b'{"a": 1, "a": 2}', "duplicate-key"),
        (b'{"a": {"b": "x\\u0000y"}}', "nul"),
        (b'{"a": ["\\ud800"]}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b"[" * 33 + b"]" * 33, "max-depth"),
        (b"[" * 200_000 + b"]" * 200_000, "max-depth"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "max-depth"),
    ],
)
def test_a_broken_body_is_refused_with_its_rule(body: bytes, rule: str) -> None:
    with pytest.raises(Malformed) as refused:
        read_json_bytes(body)
    assert refused.value.rule == rule
    assert refused.value.field


def test_the_field_of_a_bad_text_is_named_by_its_path() -> None:
    with pytest.raises(Malformed) as refused:
        read_json_bytes(b'{"customer": {"names": ["ok", "\\u0000"]}}')
    assert refused.value.field == "customer.names.1"


def test_the_deepest_allowed_body_is_read() -> None:
    body = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert json.dumps(read_json_bytes(body)) == body.decode()


def test_the_largest_and_smallest_integers_are_read() -> None:
    assert read_json_bytes(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text("aé€😀"), st.lists, max_leaves=20))
def test_what_is_fine_comes_through_unchanged(value: Any) -> None:
    assert read_json_bytes(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(Malformed):
        read_json_bytes(body)


def test_a_compressed_body_is_refused_before_it_is_read() -> None:
    with pytest.raises(Unsupported):
        read_json(request(b"\x1f\x8b", Content_Encoding="gzip"))


def test_a_body_that_is_not_json_by_its_type_is_refused() -> None:
    with pytest.raises(Unsupported):
        read_json(request(b"{}", Content_Type="text/plain"))


def test_a_body_over_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge) as refused:
        read_json(request(b"[" + b" " * 2000 + b"]", limit=1000))
    assert refused.value.status == 413


class Answer(BaseModel):
    score: int = Field(ge=0, le=10)
    comment: str = ""


class Answers(BaseModel):
    answers: list[Answer]


def test_every_fault_is_listed_with_path_and_rule() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(Answers, {"answers": [{"score": 11}, {"comment": 5}]})
    faults = {(fault.field, fault.rule) for fault in refused.value.faults}
    assert faults == {
        ("answers.0.score", "less-than-equal"),
        ("answers.1.score", "required"),
        ("answers.1.comment", "string-type"),
    }
    assert refused.value.field == "answers.0.score"


@pytest.mark.parametrize("score", ["9", True, 9.5, None, [], {}])
def test_a_score_of_the_wrong_type_is_no_score(score: Any) -> None:
    with pytest.raises(InvalidInput):
        parse(Answer, {"score": score})


@pytest.mark.parametrize("data", [[], "text", 5, None])
def test_a_body_that_is_no_object_names_the_body(data: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(Answer, data)
    assert refused.value.field == "body"


def test_an_address_with_a_number_beyond_64_bits_leads_nowhere(app: Flask) -> None:
    with app.test_request_context():
        converter = app.url_map.converters["int"](app.url_map)
        assert converter.to_python("9" * 18) == 10**18 - 1
        with pytest.raises(NoMatch):
            converter.to_python("9" * 19)
