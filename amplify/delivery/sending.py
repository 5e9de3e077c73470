"""Sending a batch: each message is looked at again, leaves outside any transaction, and is settled in its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock, events
from amplify.core.db import reading
from amplify.core.failpoints import reach
from amplify.core.settings import Settings
from amplify.delivery import endpoints, pacing
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
# One broken connection is this message's, or chance; after the second the other side is left in peace for a while.
LOST_IN_A_ROW = 2

log = structlog.get_logger(__name__)


@dataclass
class Batch:
    """What became of the messages of one batch, and what the other side said to those that must be tried again."""

    sent: int = 0
    not_sent: int = 0
    put_off: int = 0
    later: list[str] = field(default_factory=list)
    retry_after_seconds: float | None = None

    def put_back(self, failure: TransientFailure) -> None:
        """One that must be tried again, and how long the other side asks to wait."""
        self.later.append(str(failure))
        asked = (self.retry_after_seconds, failure.retry_after_seconds)
        self.retry_after_seconds = max((one for one in asked if one is not None), default=None)


def send_batch(sessions: Callable[[], Session], settings: Settings, ids: Sequence[int], release: str = "") -> Batch:
    """Send those of these messages that are still to be sent, one connection per channel. Needs an application context.

    Nothing is raised for what one message meets: see `Batch.later`. A dead worker loses at most the note of the one
    message it was sending: that one is sent again, with the same Message-ID. `release` is the handing over that this
    batch is of: messages that were put off since, or handed over again, are left to the other one.
    """
    batch = Batch()
    ours = sa.select(Message.channel, Message.id).where(Message.id.in_(ids), Message.not_before <= clock.now())
    with reading(), sessions() as session:
        kinds = session.execute(ours.where(Message.release == release) if release else ours).all()
    for name, group in groupby(sorted((row.channel, row.id) for row in kinds), key=lambda row: row[0]):
        with open_channel(name, settings) as channel:
            _send_all(sessions, channel, [message_id for _name, message_id in group], batch)
    return batch


def _send_all(sessions: Callable[[], Session], channel: Channel, ids: Sequence[int], batch: Batch) -> None:
    lost = 0
    for message_id in ids:
        try:
            outgoing = _prepare(sessions, channel.settings, message_id, batch)
            if outgoing is not None:
                reach("send-before")
                channel.send(outgoing)
                reach("send-after")
                _settle(sessions, message_id, "sent")
                batch.sent, lost = batch.sent + 1, 0
        except PermanentFailure as failure:
            batch.not_sent += 1
            _settle(sessions, message_id, "failed", str(failure), is_address_dead=failure.is_address_dead)
        except TransientFailure as failure:
            batch.put_back(failure)
            if failure.is_channel_down:
                return  # the rest would meet the same
            _try_later(sessions, message_id, str(failure))
            lost = lost + 1 if failure.is_connection_lost else 0
            if lost == LOST_IN_A_ROW:
                return


def _prepare(sessions: Callable[[], Session], settings: Settings, message_id: int, batch: Batch) -> Outgoing | None:
    """The message as it leaves, or None if it must not: settled before, forbidden since it was ordered, or not now."""
    now = clock.now()
    with reading(), sessions() as session:
        message = session.get(Message, message_id)
        if message is None or not message.is_to_be_sent:
            return None
        rule = rule_against(session, message)
        brand = session.get_one(Brand, message.brand_id)
        wait = pacing.quiet(brand, message, now)
        is_counted = pacing.is_counted(brand, message)
        outgoing = None if rule or wait else _outgoing(session, message, brand, settings)
    if rule:
        _settle(sessions, message_id, "suppressed", rule)
    elif (wait or is_counted) and not _admit(sessions, message_id, wait, now):
        batch.put_off += 1
        return None
    return outgoing


def _admit(sessions: Callable[[], Session], message_id: int, wait: pacing.Wait | None, now: datetime) -> bool:
    """Count the message, or put it off."""
    with sessions() as session, session.begin():
        message = session.get(Message, message_id, with_for_update=True)
        if message is None or not message.is_to_be_sent:
            return False
        wait = wait or pacing.admit(session, session.get_one(Brand, message.brand_id), message, now)
        if wait is not None:
            message.put_off(wait.until, wait.rule)
        return wait is None


def _outgoing(session: Session, message: Message, brand: Brand, settings: Settings) -> Outgoing:
    endpoint = endpoints.of_address(session, message.address)
    return Outgoing(
        message_id=message.message_id,
        address=message.address,
        sender=settings.mail_from,
        sender_name=brand.name,
        rendered=_rendered(message, brand),
        unsubscribe_url=unsubscribe_url(message),
        target=(endpoints.opened(endpoint, settings.secret) if endpoint else None) or {},
        template=message.template,
        facts=message.context,
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
        endpoint = endpoints.of_address(session, message.address)
        if endpoint is not None and is_address_dead:
            endpoint.end("gone")
        elif is_address_dead:
            suppress(session, message.brand_id, message.address, "bounced")
        elif state == "sent":
            endpoints.note(session, message.address, worked=True)
        events.publish(session, MessageSent(message) if state == "sent" else MessageNotSent(message))


def _try_later(sessions: Callable[[], Session], message_id: int, reason: str) -> None:
    with sessions() as session, session.begin():
        message = session.get(Message, message_id, with_for_update=True)
        if message is None or not message.is_to_be_sent:
            return
        message.attempts += 1
        message.reason = reason
        endpoints.note(session, message.address, worked=False)
        if message.attempts >= ATTEMPTS:
            message.settle("failed", f"gave up after {ATTEMPTS} attempts: {reason}")
            events.publish(session, MessageNotSent(message))
