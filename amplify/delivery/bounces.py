"""Mail that came back, and readers who complained: read from a mail file or told by a program; then never again.

A bounce message is a delivery status notification (RFC 3464), a complaint an abuse report (RFC 5965). Both carry the
head of the mail they are about, and its Message-ID says which brand it was of.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import compat32
from mailbox import mbox
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import events
from amplify.delivery.events import Unsubscribed
from amplify.delivery.models import Message
from amplify.delivery.receipts import came_back
from amplify.delivery.services import suppress

REASONS = {"bounce": "bounced", "complaint": "complained"}
# RFC 3463: the mailbox does not exist or is closed for good. Full (5.2.2) and policy (5.7.x) say nothing against it.
DEAD = ("5.1.", "5.2.1", "5.0.0")


@dataclass(frozen=True)
class Report:
    """What one report says: "bounce" or "complaint", about which mail."""

    kind: str
    message_id: str


def take(session: Session, brand_id: int | None, report: Report) -> bool:
    """Never write to that mailbox again; False if we never sent such a mail. `brand_id` None: any brand's."""
    ours = sa.select(Message).where(Message.message_id == report.message_id)
    message = session.scalar(ours if brand_id is None else ours.where(Message.brand_id == brand_id))
    if message is None or "@" not in message.address:
        return False
    suppress(session, message.brand_id, message.address, REASONS[report.kind])
    if report.kind == "bounce":
        came_back(session, message, "bounced")
    if report.kind == "complaint":  # who calls it spam has said no as clearly as by the link
        events.publish(session, Unsubscribed(message.brand_id, message.address))
    return True


def read(path: Path) -> Iterator[Report]:
    """The reports in a file: one mail, or a mailbox of many (mbox). What is no report is passed over."""
    with path.open("rb") as file:
        is_mailbox = file.read(5) == b"From "
    for mail in _of_mailbox(path) if is_mailbox else [message_from_bytes(path.read_bytes(), policy=compat32)]:
        if report := report_of(mail):
            yield report


def _of_mailbox(path: Path) -> Iterator[Mail]:
    with closing(mbox(path, create=False)) as mails:
        yield from mails


def report_of(mail: Mail) -> Report | None:
    """What this mail reports, if it is a report about a mail of ours that is final."""
    parts = list(mail.walk())
    kind = next((found for part in parts if (found := _kind(part))), None)
    about = next((found for part in parts if (found := _message_id(part))), None)
    return Report(kind, about) if kind and about else None


def _kind(part: Mail) -> str | None:
    if part.get_content_type() == "message/feedback-report":
        return "complaint"
    if part.get_content_type() != "message/delivery-status":
        return None
    blocks = [block for block in part.get_payload() if isinstance(block, Mail)]
    is_dead = any(
        str(block.get("Action", "")).strip().lower() == "failed"
        and str(block.get("Status", "")).strip().startswith(DEAD)
        for block in blocks
    )
    return "bounce" if is_dead else None


def _message_id(part: Mail) -> str | None:
    """Of the mail that came back: its head, alone or with the rest."""
    if part.get_content_type() == "text/rfc822-headers":
        raw = part.get_payload(decode=True)
        head = message_from_bytes(raw, policy=compat32) if isinstance(raw, bytes) else None
    elif part.get_content_type() == "message/rfc822":
        payload = part.get_payload()
        head = payload[0] if isinstance(payload, list) and isinstance(payload[0], Mail) else None
    else:
        head = None
    return str(head.get("Message-ID", "")).strip() or None if head is not None else None
