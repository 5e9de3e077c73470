"""Ordering messages, and the list of people who must not be written to.

A stored message is the order: the worker's round `release_due` hands due ones to the job engine in batches, so that
one connection carries many, and quiet hours and retries need nothing of their own.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock, events
from amplify.core.bulk import insert_ignore
from amplify.core.i18n import best_language
from amplify.core.tokens import uuid7
from amplify.delivery.addresses import check, fingerprint
from amplify.delivery.events import MessageNotSent, Unsubscribed
from amplify.delivery.models import PENDING, Message, Suppression


def new_message_id(host: str) -> str:
    """A Message-ID (RFC 5322, 3.6.4) that every copy of one message carries."""
    return f"<{uuid7()}@{host}>"


def new_message_ids(host: str, numbers: Sequence[int]) -> list[str]:
    """The same for many messages that have different numbers already: one random part for all of them."""
    drawn = str(uuid7())
    return [f"<{drawn}.{number}@{host}>" for number in numbers]


def new_message(
    brand: Brand,
    *,
    template: str,
    channel: str = "email",
    address: str,
    locale: str,
    context: dict[str, Any],
    is_marketing: bool = True,
    message_id: str | None = None,
    person: str = "",
    timezone: str = "",
    not_before: datetime | None = None,
) -> dict[str, Any]:
    """The columns of a message that is yet to be ordered: by `queue_message`, or many at once by `queue_messages`.

    `template` is a folder of templates/messages, `context` plain JSON values for it. The Message-ID is bound now.
    `person` is whose wishes and contact budget count, `timezone` whose night (else the brand's).
    Raises Invalid("address", "email") if the channel is e-mail and the address is none.
    """
    own_host = brand.target_hosts[0] if brand.target_hosts else "amplify.invalid"
    return {
        "brand_id": brand.id,
        "message_id": message_id or new_message_id(own_host),
        "channel": channel,
        "template": template,
        "locale": best_language(locale, best_language(brand.default_locale)),
        "address": check("address", address) if channel == "email" else address,
        "context": context,
        "is_marketing": is_marketing,
        "person": person,
        "timezone": timezone,
        "not_before": not_before or clock.now(),
        "state": "waiting",
    }


def queue_message(session: Session, brand: Brand, **said: Any) -> Message:
    """Order one `new_message`; it leaves after the caller's commit, and not before `not_before`."""
    message = Message(**new_message(brand, **said))
    session.add(message)
    session.flush()
    return message


def queue_messages(session: Session, messages: Sequence[dict[str, Any]]) -> None:
    """Order many of `new_message` at once; they leave after the caller's commit."""
    insert_ignore(session, Message, messages)


def cancel(session: Session, brand_id: int, message_ids: Sequence[str], reason: str) -> int:
    """Call messages back, by Message-ID, that have not left; returns how many. What is on the wire stays sent."""
    waiting = sa.select(Message).where(
        Message.brand_id == brand_id, Message.message_id.in_(message_ids), Message.state.in_(PENDING)
    )
    messages = session.scalars(waiting.order_by(Message.id).with_for_update()).all()
    for message in messages:
        message.settle("cancelled", reason)
        events.publish(session, MessageNotSent(message))
    return len(messages)


def suppress(session: Session, brand_id: int, address: str, reason: str) -> None:
    """Never again send marketing mail to this mailbox: "unsubscribed", "bounced", "complained" or "erased"."""
    row = {
        "brand_id": brand_id,
        "address_hash": fingerprint(brand_id, address),
        "reason": reason,
        "at": clock.now(),
    }
    insert_ignore(session, Suppression, [row])


def is_suppressed(session: Session, brand_id: int, address: str) -> bool:
    """Whether marketing mail to this mailbox is forbidden."""
    same_mailbox = sa.exists().where(
        Suppression.brand_id == brand_id, Suppression.address_hash == fingerprint(brand_id, address)
    )
    return bool(session.scalar(sa.select(same_mailbox)))


def is_unsubscribed(session: Session, message: Message) -> bool:
    """Whether the reader of this message gets no more of its kind; an erased person has no address left here."""
    return not message.address or is_suppressed(session, message.brand_id, message.address)


def lift(session: Session, brand_id: int, address: str) -> None:
    """Their own telephone asks for messages again; what was erased stays out."""
    theirs = Suppression.brand_id == brand_id, Suppression.address_hash == fingerprint(brand_id, address)
    session.execute(sa.delete(Suppression).where(*theirs, Suppression.reason.in_(("unsubscribed", "bounced"))))


def unsubscribe(session: Session, message: Message) -> None:
    """The reader of this message wants no more of its kind. Asking twice changes nothing."""
    if not is_unsubscribed(session, message):
        suppress(session, message.brand_id, message.address, "unsubscribed")
        events.publish(session, Unsubscribed(message.brand_id, message.address))
