"""What became of messages, written down: of those that left for a whole group at once, of others one by one."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock, events
from amplify.core.bulk import is_among
from amplify.core.db import is_sqlite
from amplify.delivery import endpoints
from amplify.delivery.errors import DeliveryFailure, PermanentFailure
from amplify.delivery.events import MessageNotSent, MessagesSent, Sent
from amplify.delivery.models import Message
from amplify.delivery.services import suppress

# With the job engine's growing waits this is about half a day of a mailbox that says "later".
ATTEMPTS = 19
# What has left must be noted, or it leaves again: a note that another transaction got in the way of is made once more.
NOTED_AT_MOST = 3

Sessions = Callable[[], Session]


def note_sent(sessions: Sessions, ids: Sequence[int]) -> None:
    """These have left, whatever was decided about them meanwhile."""
    for attempt in range(1, NOTED_AT_MOST + 1):
        try:
            with sessions() as session, session.begin():
                _note_sent(session, ids)
            return
        except sa.exc.OperationalError:
            if attempt == NOTED_AT_MOST:
                raise


def _note_sent(session: Session, ids: Sequence[int]) -> None:
    mine: Any = is_among(session, Message.id, ids)
    if not is_sqlite(session):  # in one order for everybody; SQLite writes one at a time
        session.execute(sa.select(Message.id).where(mine).order_by(Message.id).with_for_update())
    now = clock.now()
    # As Message.settle has it. Words and personal links are not kept longer than they are needed.
    said = {"state": "sent", "reason": "", "sent_at": now, "context": {}, "attempts": Message.attempts + 1}
    head = (getattr(Message, name) for name in Sent._fields)
    left = sa.update(Message).where(mine).values(said).returning(*head)
    messages = [Sent(*row) for row in session.execute(left.execution_options(synchronize_session=False))]
    endpoints.note_worked(session, [message.address for message in messages])
    events.publish(session, MessagesSent(messages, now))


def note_not_sent(
    sessions: Sessions, message_id: int, state: str, reason: str, *, is_address_dead: bool = False
) -> None:
    """This one never will: "suppressed" by a rule, or "failed" because the other side refused it for good."""
    with sessions() as session, session.begin():
        message = _still_owed(session, message_id)
        if message is None:
            return
        message.attempts += 1
        message.settle(state, reason)
        endpoint = endpoints.of_address(session, message.address)
        if endpoint is not None and is_address_dead:
            endpoint.end("gone")
        elif is_address_dead:
            suppress(session, message.brand_id, message.address, "bounced")
        events.publish(session, MessageNotSent(message))


def note_failure(sessions: Sessions, message_id: int, failure: DeliveryFailure) -> None:
    """What the other side said; a message that was tried often enough is given up."""
    if isinstance(failure, PermanentFailure):
        note_not_sent(sessions, message_id, "failed", str(failure), is_address_dead=failure.is_address_dead)
        return
    reason = str(failure)
    with sessions() as session, session.begin():
        message = _still_owed(session, message_id)
        if message is None:
            return
        message.attempts += 1
        message.reason = reason
        endpoints.note_failure(session, message.address)
        if message.attempts >= ATTEMPTS:
            message.settle("failed", f"gave up after {ATTEMPTS} attempts: {reason}")
            events.publish(session, MessageNotSent(message))


def _still_owed(session: Session, message_id: int) -> Message | None:
    message = session.get(Message, message_id, with_for_update=True)
    return message if message is not None and message.is_to_be_sent else None
