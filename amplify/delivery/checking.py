"""The last look at a group of messages before they leave: is it still to be sent, may it, now, and what does it say.

What forbids a message is read in one transaction; what counts against people and channels is counted in a second, short
one, which looks once more at what was called off or held back meanwhile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.bulk import is_among
from amplify.core.db import reading
from amplify.core.settings import Settings
from amplify.delivery import endpoints, pacing
from amplify.delivery.envelope import Outgoing
from amplify.delivery.errors import TransientFailure
from amplify.delivery.models import Message
from amplify.delivery.objections import rules_against
from amplify.delivery.render import render, unsubscribe_url

log = structlog.get_logger(__name__)


@dataclass
class Checked:
    """What a look at a group found, by the messages' ids. What is in none of them is not to be sent (any more)."""

    ready: dict[int, Outgoing] = field(default_factory=dict)
    forbidden: dict[int, str] = field(default_factory=dict)
    broken: dict[int, TransientFailure] = field(default_factory=dict)
    waits: dict[int, pacing.Wait] = field(default_factory=dict)
    # A second one to the same person: only when the first is counted can be said whether it may leave.
    not_yet: list[int] = field(default_factory=list)


class _Leaving(NamedTuple):
    """One that may leave, with what it is written from."""

    message: Message
    brand: Brand
    target: endpoints.Target


def check(sessions: Callable[[], Session], settings: Settings, ids: Sequence[int], release: str = "") -> Checked:
    """Look at these. `release`: those that were handed over otherwise meanwhile are left to the other one."""
    now, found = clock.now(), Checked()
    with reading(), sessions() as session:
        leaving = _look(session, settings, _to_be_sent(session, ids, release), now, found)
    for one in leaving:  # after the transaction: writing takes longer than reading
        _write(one, settings, found)
    counted = [m.id for m, brand, _target in leaving if m.id in found.ready and pacing.is_counted(brand, m)]
    if found.waits or counted:
        _admit(sessions, counted, now, found)
    return found


def _to_be_sent(session: Session, ids: Sequence[int], release: str) -> list[Message]:
    ours = sa.select(Message).where(is_among(session, Message.id, ids)).order_by(Message.id)
    messages = session.scalars(ours.where(Message.release == release) if release else ours)
    return [message for message in messages if message.is_to_be_sent]


def _look(
    session: Session, settings: Settings, messages: Sequence[Message], now: datetime, found: Checked
) -> list[_Leaving]:
    """Those that may leave; the others are noted in `found`."""
    found.forbidden = rules_against(session, messages)
    people: set[tuple[int, str]] = set()
    leaving = []
    for message in messages:
        who, brand = (message.brand_id, message.person), session.get_one(Brand, message.brand_id)
        if message.id in found.forbidden:
            continue
        if message.person and who in people:
            found.not_yet.append(message.id)
        elif wait := pacing.quiet(brand, message, now):
            found.waits[message.id] = wait
        else:
            endpoint = endpoints.of_address(session, message.address)
            target = endpoints.opened(endpoint, settings.secret) if endpoint else None
            leaving.append(_Leaving(message, brand, target or {}))
        people.add(who)
    return leaving


def _write(one: _Leaving, settings: Settings, found: Checked) -> None:
    """One message that cannot be rendered must not hold up the others; a mended template lets it go."""
    message, brand, target = one
    try:
        found.ready[message.id] = Outgoing(
            message_id=message.message_id,
            address=message.address,
            sender=settings.mail_from,
            sender_name=brand.name,
            rendered=render(message, brand),
            unsubscribe_url=unsubscribe_url(message),
            target=target,
            template=message.template,
            facts=message.context,
        )
    except Exception as error:
        log.exception("message not rendered", message=message.id, template=message.template)
        found.broken[message.id] = TransientFailure(f"cannot be rendered: {type(error).__name__}")


def _admit(sessions: Callable[[], Session], counted: Sequence[int], now: datetime, found: Checked) -> None:
    """Count messages, or put them off. What was called off or held back since it was looked at does not leave."""
    with sessions() as session, session.begin():
        locked: Any = sa.select(Message).where(is_among(session, Message.id, [*found.waits, *counted]))
        messages = [one for one in session.scalars(locked.order_by(Message.id).with_for_update()) if one.is_to_be_sent]
        brands = {number: session.get_one(Brand, number) for number in sorted({one.brand_id for one in messages})}
        found.waits |= pacing.admit(session, brands, [one for one in messages if one.id not in found.waits], now)
        for message in messages:
            if wait := found.waits.get(message.id):
                message.put_off(wait.until, wait.rule)
    left = {message.id for message in messages}
    for message_id in counted:
        if message_id not in left or message_id in found.waits:
            del found.ready[message_id]
