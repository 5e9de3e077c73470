"""Answers from machines: signed posts and the REST resources; each stored once, what is wrong named."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from amplify.accounts.models import AuditEntry
from amplify.accounts.signing import (
    create_signing_key,
    disable_signing_key,
    rotate_signing_key,
    signature,
    signing_key_of,
)
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.settings import Settings
from amplify.surveys.events import SurveyAnswered
from amplify.surveys.models import Response
from amplify.surveys.source import every_source
from tests.client import Client
from tests.world import a_brand, a_key

ANSWER = {"external_id": "a-1", "given": 9, "comment": "Quick."}


class Sender:
    """A system outside that signs what it posts."""

    def __init__(self, client: Client, secret: str, address: str) -> None:
        self.client, self.secret, self.address = client, secret, address

    def post(self, body: Any, *, seconds: int = 0, headers: dict[str, str] | None = None) -> TestResponse:
        """Post a body (JSON unless bytes), signed now or `seconds` from now."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        stamp = str(int((clock.now() + timedelta(seconds=seconds)).timestamp()))
        signed = {
            "webhook-id": "m-1",
            "webhook-timestamp": stamp,
            "webhook-signature": signature(self.secret, "m-1", stamp, raw),
            "Content-Type": "application/json",
        }
        return self.client.post(self.address, data=raw, headers={**signed, **(headers or {})})


@pytest.fixture
def sender(session: Session, brand: Brand, client: Client, settings: Settings) -> Sender:
    _row, secret = create_signing_key(
        session, brand, key="shop", name="Shop", secret_key=settings.secret, actor="system"
    )
    session.commit()
    return Sender(client, secret, "/in/acme/shop/responses")


def _stored(session: Session) -> int:
    return session.scalar(sa.select(sa.func.count(Response.id))) or 0


def _problem(answer: TestResponse) -> tuple[int, str | None, str | None]:
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    return answer.status_code, answer.json.get("field"), answer.json.get("rule")


def test_a_signed_answer_is_stored_and_a_replay_changes_nothing(
    session: Session, sender: Sender, heard: list[SurveyAnswered]
) -> None:
    first, again = sender.post(ANSWER), sender.post(ANSWER)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json is not None
    assert again.json is not None
    assert (first.json["stored"], again.json["stored"]) == (1, 0)
    assert first.json["ids"] == again.json["ids"]
    stored = session.scalars(sa.select(Response)).one()
    assert (stored.source, stored.external_id, stored.given, stored.comment) == ("signed:shop", "a-1", 9, "Quick.")
    assert len(heard) == 1


def test_the_generic_source_has_an_address_of_its_own_too(session: Session, sender: Sender) -> None:
    sender.address += "/generic"
    assert sender.post(ANSWER).status_code == 201
    sender.address = "/in/acme/shop/responses/nobody"
    assert _problem(sender.post(ANSWER)) == (404, None, "source-unknown")
    assert _stored(session) == 1


def test_other_content_under_the_same_id_is_409_and_stays_in_the_log(session: Session, sender: Sender) -> None:
    sender.post(ANSWER)
    answer = sender.post({**ANSWER, "given": 3})
    assert _problem(answer) == (409, "external_id", "same-id-other-content")
    session.rollback()
    assert session.scalars(sa.select(Response.given)).all() == [9]
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "response.conflicted")).one()
    assert entry.actor == "signed:shop"


def test_an_edit_is_a_new_revision(session: Session, sender: Sender) -> None:
    sender.post(ANSWER)
    assert sender.post({**ANSWER, "given": 3, "revision": 2}).status_code == 201
    rows = session.execute(sa.select(Response.revision, Response.superseded_at.is_(None)).order_by(Response.revision))
    assert [tuple(row) for row in rows] == [(1, False), (2, True)]


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_signature_within_five_minutes_is_good(sender: Sender, seconds: int) -> None:
    assert sender.post(ANSWER, seconds=seconds).status_code == 201


@pytest.mark.parametrize("seconds", [-302, 302])
def test_a_signature_older_or_newer_is_401(session: Session, sender: Sender, seconds: int) -> None:
    assert _problem(sender.post(ANSWER, seconds=seconds)) == (401, None, "signature")
    assert _stored(session) == 0


def test_a_changed_body_or_header_is_401(session: Session, sender: Sender) -> None:
    good = signature(sender.secret, "m-1", str(int(clock.now().timestamp())), json.dumps(ANSWER).encode())
    for headers in (
        {"webhook-signature": "v1," + ("B" if good[3] == "A" else "A") + good[4:]},
        {"webhook-signature": "v1,"},
        {"webhook-signature": ""},
        {"webhook-id": "m-2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "yesterday"},
    ):
        assert sender.post(ANSWER, headers=headers).status_code == 401, headers
    assert sender.post({**ANSWER, "given": 10}, headers={"webhook-signature": good}).status_code == 401
    assert _stored(session) == 0


def test_a_body_is_not_looked_at_before_its_signature(sender: Sender) -> None:
    assert sender.post(b"{broken", headers={"webhook-signature": "v1,AAAA"}).status_code == 401


def test_the_key_before_the_rotation_is_good_and_a_disabled_one_is_not(
    session: Session, brand: Brand, sender: Sender, settings: Settings
) -> None:
    row = signing_key_of(session, brand.id, "shop")
    rotate_signing_key(session, row, secret_key=settings.secret, actor="system")
    session.commit()
    assert sender.post(ANSWER).status_code == 201
    disable_signing_key(session, row, "system")
    session.commit()
    assert sender.post(ANSWER).status_code == 401


@pytest.mark.parametrize("address", ["/in/nobody/shop/responses", "/in/acme/nokey/responses"])
def test_an_unknown_brand_or_key_is_404(session: Session, sender: Sender, address: str) -> None:
    sender.address = address
    assert _problem(sender.post(ANSWER))[0] == 404
    assert _stored(session) == 0


def test_a_key_of_another_brand_is_404(session: Session, sender: Sender) -> None:
    a_brand(session, "other")
    session.commit()
    sender.address = "/in/other/shop/responses"
    assert sender.post(ANSWER).status_code == 404


BAD_BODIES = [
    (b"{", 400, "body", "json"),
    (b"\xff\xfe", 400, "body", "utf-8"),
    (b"[" * 40 + b"]" * 40, 400, "body", "max-depth"),
    (b"[" * 100_000, 400, "body", "max-depth"),
    (b'{"given": 9, "given": 10}', 400, "given", "duplicate-key"),
    (b'{"external_id": "a\\u0000", "given": 9}', 400, "external_id", "nul"),
    (b'{"external_id": "a", "given": 9, "comment": "\\ud800"}', 400, "comment", "surrogate"),
    (b'{"external_id": "a", "given": 99999999999999999999999}', 400, "body", "int64"),
    (b'{"external_id": "a", "given": 1e999}', 400, "body", "finite-number"),
    (b'{"external_id": "a", "given": NaN}', 400, "body", "finite-number"),
    (b"[]", 422, "body", "model-type"),
    (b"null", 422, "body", "model-type"),
    (b'{"given": 9}', 422, "external_id", "required"),
    (b'{"external_id": "a"}', 422, "given", "required"),
    (b'{"external_id": "a", "given": 11}', 422, "given", "out-of-scale"),
    (b'{"external_id": "a", "given": 9223372036854775807}', 422, "given", "out-of-scale"),
    (b'{"external_id": "a", "given": 9.5}', 422, "given", "int-type"),
    (b'{"external_id": "a", "given": "9"}', 422, "given", "int-type"),
    (b'{"external_id": 7, "given": 9}', 422, "external_id", "string-type"),
    (b'{"external_id": "a", "given": 9, "revision": 0}', 422, "revision", "greater-than-equal"),
    (b'{"external_id": "a", "given": 9, "customer": {"email": "x"}}', 422, "customer.email", "invalid"),
    (b'{"external_id": "a", "given": 9, "customer": []}', 422, "customer", "model-type"),
    (b'{"external_id": "a", "given": 9, "answered_at": "noon"}', 422, "answered_at", "datetime-parsing"),
    (b'{"external_id": "a", "given": 9, "answered_at": "2024-01-01T00:00:00"}', 422, "answered_at", "timezone-aware"),
    (b'{"external_id": "a", "given": 9, "colour": "red"}', 422, "colour", "unknown-field"),
    (b'{"external_id": "a", "given": 9, "source": "import:x"}', 422, "source", "unknown-field"),
]


@pytest.mark.parametrize(("body", "status", "field", "rule"), BAD_BODIES)
def test_what_is_wrong_with_a_body_is_named_and_nothing_is_stored(
    session: Session, brand: Brand, sender: Sender, client: Client, body: bytes, status: int, field: str, rule: str
) -> None:
    assert _problem(sender.post(body)) == (status, field, rule)
    key = a_key(session, brand, "responses:write")
    answer = client.post("/api/v1/responses", data=body, headers={**key, "Content-Type": "application/json"})
    assert _problem(answer) == (status, field, rule)
    assert _stored(session) == 0


def test_a_body_of_another_type_or_too_large_is_refused(
    session: Session, brand: Brand, sender: Sender, client: Client
) -> None:
    assert sender.post(ANSWER, headers={"Content-Type": "text/plain"}).status_code == 415
    assert sender.post(ANSWER, headers={"Content-Encoding": "gzip"}).status_code == 415
    assert _problem(sender.post(b'"' + b"x" * 1_100_000 + b'"')) == (413, "body", "max-bytes")
    key = a_key(session, brand, "responses:write")
    assert client.post("/api/v1/responses", data={"given": 9}, headers=key).status_code == 415
    assert _stored(session) == 0


def test_the_api_stores_an_answer_once(session: Session, brand: Brand, client: Client) -> None:
    key = a_key(session, brand, "responses:write")
    said = {**ANSWER, "customer": {"email": "ana@shop.example"}, "business_line": "Long haul"}
    first, again = (client.post("/api/v1/responses", json=said, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert first.json is not None
    assert (first.json["category"], first.json["business_line"], first.json["score"]) == ("promoter", "long-haul", 9.0)
    assert first.json["customer"] == {"external_id": None, "email": "ana@shop.example", "name": ""}
    prefix = key["Authorization"].split()[1].split(".")[0]
    assert first.json["source"] == f"api:{prefix}"
    conflict = client.post("/api/v1/responses", json={**said, "given": 1}, headers=key)
    assert _problem(conflict) == (409, "external_id", "same-id-other-content")
    assert _stored(session) == 1


def test_answers_are_listed_newest_first_page_by_page(session: Session, brand: Brand, client: Client) -> None:
    write, read = a_key(session, brand, "responses:write"), a_key(session, brand, "responses:read")
    for number in range(5):
        client.post("/api/v1/responses", json={"external_id": f"r{number}", "given": number}, headers=write)
    client.post("/api/v1/responses", json={"external_id": "r0", "given": 9, "revision": 2}, headers=write)
    seen, cursor = [], ""
    while True:
        page = client.get(f"/api/v1/responses?limit=2{cursor}", headers=read).json
        assert page is not None
        seen += [(item["external_id"], item["given"]) for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [("r0", 9), ("r4", 4), ("r3", 3), ("r2", 2), ("r1", 1)]


def test_the_list_is_filtered(session: Session, brand: Brand, client: Client) -> None:
    write, read = a_key(session, brand, "responses:write"), a_key(session, brand, "responses:read")
    for name, given, line, month in (("a", 9, "Air", 1), ("b", 3, "Air", 2), ("c", 10, "Rail", 3)):
        said = {"external_id": name, "given": given, "business_line": line}
        said |= {"answered_at": f"2026-0{month}-01T00:00:00Z"}
        assert client.post("/api/v1/responses", json=said, headers=write).status_code == 201

    def names(query: str) -> list[str]:
        page = client.get(f"/api/v1/responses?{query}", headers=read).json
        assert page is not None
        return [item["external_id"] for item in page["items"]]

    assert names("category=promoter") == ["c", "a"]
    assert names("business_line=air") == ["b", "a"]
    assert names("since=2026-02-01T00:00:00Z&until=2026-03-01T00:00:00Z") == ["b"]
    assert names("location=nowhere") == []
    assert names("scale=csat5") == []


@pytest.mark.parametrize(
    ("query", "field", "rule"),
    [
        ("limit=0", "limit", "greater-than-equal"),
        ("limit=many", "limit", "int-parsing"),
        ("cursor=x", "cursor", "int-parsing"),
        ("cursor=99999999999999999999", "cursor", "less-than-equal"),
        ("category=fan", "category", "literal-error"),
        ("since=2026-01-01T00:00:00", "since", "timezone-aware"),
        ("colour=red", "colour", "unknown-field"),
        ("limit=1&limit=2", "limit", "once"),
    ],
)
def test_a_wrong_filter_is_named(
    session: Session, brand: Brand, client: Client, query: str, field: str, rule: str
) -> None:
    answer = client.get(f"/api/v1/responses?{query}", headers=a_key(session, brand, "responses:read"))
    assert _problem(answer) == (422, field, rule)


def test_one_answer_is_shown_to_its_brand_only(session: Session, brand: Brand, client: Client) -> None:
    made = client.post("/api/v1/responses", json=ANSWER, headers=a_key(session, brand, "responses:write")).json
    assert made is not None
    address = f"/api/v1/responses/{made['id']}"
    assert client.get(address, headers=a_key(session, brand, "responses:read")).json == made
    other = a_brand(session, "other")
    assert client.get(address, headers=a_key(session, other, "responses:read")).status_code == 404
    listed = client.get("/api/v1/responses", headers=a_key(session, other, "responses:read")).json
    assert listed == {"items": [], "next_cursor": None}


def test_a_key_needs_its_scope(session: Session, brand: Brand, client: Client) -> None:
    read, write = a_key(session, brand, "responses:read"), a_key(session, brand, "responses:write")
    assert client.post("/api/v1/responses", json=ANSWER, headers=read).status_code == 403
    assert client.get("/api/v1/responses", headers=write).status_code == 403
    assert client.post("/api/v1/responses", json=ANSWER).status_code == 401


def test_the_openapi_document_describes_the_resources(client: Client) -> None:
    spec = client.get("/api/v1/openapi.json").json
    assert spec is not None
    resource = spec["paths"]["/api/v1/responses"]
    assert set(resource["post"]["responses"]) >= {"200", "201", "409", "422"}
    assert {p["name"] for p in resource["get"]["parameters"]} >= {"cursor", "limit", "category", "since"}
    assert resource["post"]["x-scope"] == "responses:write"
    assert not [path for path in spec["paths"] if path.startswith("/in/")]


def test_the_sources_are_found_by_themselves() -> None:
    assert [source.name for source in every_source()] == ["generic"]
