"""Sending a batch: each message is looked at again, leaves outside any transaction, and is settled in its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import events
from amplify.core.db import reading
from amplify.core.failpoints import reach
from amplify.core.settings import Settings
from amplify.delivery.channel import Channel, open_channel
from amplify.delivery.envelope import Outgoing
from amplify.delivery.errors import PermanentFailure, TransientFailure
from amplify.delivery.events import MessageNotSent, MessageSent
from amplify.delivery.models import Message
from amplify.delivery.objections import rule_against
from amplify.delivery.render import Rendered, render, unsubscribe_url
from amplify.delivery.services import suppress

# With the job engine's growing waits this is about half a day of a mailbox that says "later".
ATTEMPTS = 19

log = structlog.get_logger(__name__)


@dataclass
class Batch:
    """What became of the messages of one batch, and what the other side said to those that must be tried again."""

    sent: int = 0
    not_sent: int = 0
    later: list[str] = field(default_factory=list)


def send_batch(sessions: Callable[[], Session], settings: Settings, ids: Sequence[int]) -> Batch:
    """Send those of these messages that are still to be sent, one connection per channel. Needs an application context.

    Nothing is raised for what one message meets: see `Batch.later`. A dead worker loses at most the note of the one
    message it was sending: that one is sent again, with the same Message-ID.
    """
    batch = Batch()
    with reading(), sessions() as session:
        kinds = session.execute(sa.select(Message.channel, Message.id).where(Message.id.in_(ids))).all()
    for name, group in groupby(sorted((row.channel, row.id) for row in kinds), key=lambda row: row[0]):
        with open_channel(name, settings) as channel:
            _send_all(sessions, channel, [message_id for _name, message_id in group], batch)
    return batch


def _send_all(sessions: Callable[[], Session], channel: Channel, ids: Sequence[int], batch: Batch) -> None:
    for message_id in ids:
        try:
            outgoing = _prepare(sessions, channel.settings, message_id)
            if outgoing is not None:
                reach("send-before")
                channel.send(outgoing)
                reach("send-after")
                _settle(sessions, message_id, "sent")
                batch.sent += 1
        except PermanentFailure as failure:
            batch.not_sent += 1
            _settle(sessions, message_id, "failed", str(failure), is_address_dead=failure.is_address_dead)
        except TransientFailure as failure:
            batch.later.append(str(failure))
            if failure.is_channel_down:
                return  # the rest would meet the same
            _put_off(sessions, message_id, str(failure))


def _prepare(sessions: Callable[[], Session], settings: Settings, message_id: int) -> Outgoing | None:
    """The message as it leaves, or None if it must not: settled before, or forbidden since it was ordered."""
    with reading(), sessions() as session:
        message = session.get(Message, message_id)
        if message is None or not message.is_to_be_sent:
            return None
        rule = rule_against(session, message)
        brand = session.get_one(Brand, message.brand_id)
        outgoing = None if rule else _outgoing(message, brand, settings)
    if rule:
        _settle(sessions, message_id, "suppressed", rule)
    return outgoing


def _outgoing(message: Message, brand: Brand, settings: Settings) -> Outgoing:
    return Outgoing(
        message_id=message.message_id,
        address=message.address,
        sender=settings.mail_from,
        sender_name=brand.name,
        rendered=_rendered(message, brand),
        unsubscribe_url=unsubscribe_url(message),
    )


def _rendered(message: Message, brand: Brand) -> Rendered:
    """One message that cannot be rendered must not hold up the batch; a mended template lets it go."""
    try:
        return render(message, brand)
    except Exception as error:
        log.exception("message not rendered", message=message.id, template=message.template)
        raise TransientFailure(f"cannot be rendered: {type(error).__name__}") from error


def _settle(
    sessions: Callable[[], Session], message_id: int, state: str, reason: str = "", *, is_address_dead: bool = False
) -> None:
    with sessions() as session, session.begin():
        message = session.get(Message, message_id, with_for_update=True)
        if message is None or (state != "sent" and not message.is_to_be_sent):
            return
        message.attempts += 1
        message.settle(state, reason)
        if is_address_dead:
            suppress(session, message.brand_id, message.address, "bounced")
        events.publish(session, MessageSent(message) if state == "sent" else MessageNotSent(message))


def _put_off(sessions: Callable[[], Session], message_id: int, reason: str) -> None:
    with sessions() as session, session.begin():
        message = session.get(Message, message_id, with_for_update=True)
        if message is None or not message.is_to_be_sent:
            return
        message.attempts += 1
        message.reason = reason
        if message.attempts >= ATTEMPTS:
            message.settle("failed", f"gave up after {ATTEMPTS} attempts: {reason}")
            events.publish(session, MessageNotSent(message))
