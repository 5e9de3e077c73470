"""What came back: told by a signed program or read from mail files; the mailbox is never written to again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from amplify.accounts.signing import create_signing_key, signature
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.settings import Settings
from amplify.customers.services import find_or_create
from amplify.delivery import bounces
from amplify.delivery.models import Message
from amplify.delivery.services import is_suppressed
from tests.client import Client
from tests.world import a_brand

Order = Callable[..., Message]

BOUNCE = """From: MAILER-DAEMON@mx.example
To: hello@amplify.example
Subject: Undelivered Mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It came back.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ana@friends.example
Action: {action}
Status: {status}

--b
Content-Type: {kind}

From: hello@amplify.example
Message-ID: {message_id}
Subject: Hello

--b--
"""
COMPLAINT = BOUNCE.replace("message/delivery-status", "message/feedback-report")


def report(message: Message, text: str = BOUNCE, status: str = "5.1.1", action: str = "failed", **more: str) -> str:
    kind = more.get("kind", "text/rfc822-headers")
    return text.format(message_id=message.message_id, status=status, action=action, kind=kind)


def read(path: Path, content: str) -> list[bounces.Report]:
    path.write_text(content)
    return list(bounces.read(path))


@pytest.mark.parametrize("kind", ["text/rfc822-headers", "message/rfc822"])
def test_a_bounce_that_is_final_is_read(order: Order, tmp_path: Path, kind: str) -> None:
    message = order()
    assert read(tmp_path / "one.eml", report(message, kind=kind)) == [bounces.Report("bounce", message.message_id)]


@pytest.mark.parametrize(
    ("status", "action"), [("4.4.1", "delayed"), ("5.2.2", "failed"), ("5.7.1", "failed"), ("2.0.0", "relayed")]
)
def test_what_says_nothing_against_the_mailbox_is_passed_over(
    order: Order, tmp_path: Path, status: str, action: str
) -> None:
    assert read(tmp_path / "one.eml", report(order(), status=status, action=action)) == []


def test_a_mailbox_file_holds_many_and_an_ordinary_mail_is_no_report(order: Order, tmp_path: Path) -> None:
    one, two = order(), order("ben@friends.example")
    mails = (report(one), "Subject: Hi\n\nHow are you?\n", report(two, COMPLAINT))
    found = read(tmp_path / "box", "".join(f"From x@y.example Sun Nov 22 10:00:00 2026\n{mail}\n" for mail in mails))
    assert found == [bounces.Report("bounce", one.message_id), bounces.Report("complaint", two.message_id)]


@pytest.mark.parametrize("content", ["", "\x00\xff", "From x", "Content-Type: message/delivery-status\n\n"])
def test_nonsense_is_passed_over(tmp_path: Path, content: str) -> None:
    assert read(tmp_path / "one.eml", content) == []


def test_a_bounce_suppresses_and_a_complaint_withdraws_the_consent_too(
    session: Session, brand: Brand, order: Order
) -> None:
    customer = find_or_create(session, brand, email="ana@friends.example", consent=True, consent_source="hosted:x")
    assert customer is not None
    message, other = order(), order("ben@friends.example")
    assert bounces.take(session, brand.id, bounces.Report("bounce", other.message_id))
    assert bounces.take(session, None, bounces.Report("complaint", message.message_id))
    assert is_suppressed(session, brand.id, "ana@friends.example")
    assert is_suppressed(session, brand.id, "ben@friends.example")
    assert customer.consent is False


def test_another_brands_mail_is_unknown(session: Session, order: Order) -> None:
    other = a_brand(session, "other")
    message = order()
    assert not bounces.take(session, other.id, bounces.Report("bounce", message.message_id))
    assert not is_suppressed(session, message.brand_id, message.address)


def post(client: Client, secret: str, body: bytes) -> tuple[int, dict[str, object]]:
    stamp = str(int(clock.now().timestamp()))
    head = {"webhook-id": "m", "webhook-timestamp": stamp, "webhook-signature": signature(secret, "m", stamp, body)}
    answer = client.post("/in/acme/mail/bounces", data=body, headers={**head, "Content-Type": "application/json"})
    return answer.status_code, answer.get_json()


def test_a_program_that_signs_tells_of_many_at_once(
    session: Session, brand: Brand, order: Order, client: Client, settings: Settings
) -> None:
    said = {"key": "mail", "name": "Mail", "secret_key": settings.secret, "actor": "system"}
    secret = create_signing_key(session, brand, **said)[1]
    message = order()
    session.commit()
    reports = [{"type": "bounce", "message_id": one} for one in (message.message_id, "<never@sent>")]
    body = json.dumps({"reports": reports}).encode()
    for _ in range(2):
        assert post(client, secret, body) == (200, {"taken": 1, "unknown": 1})
    assert is_suppressed(session, brand.id, message.address)
    assert post(client, "whsec_AAAA", body)[0] == 401
    assert post(client, secret, b'{"reports": [{"type": "sigh", "message_id": "<a@b>"}]}')[0] == 422
