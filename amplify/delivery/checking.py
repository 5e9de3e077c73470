"""The last look at a group of messages before they leave: is it still to be sent, may it, now, and what does it say.

They are written first, which takes longest, and looked at then: from the look on, each is on its way. What forbids a
message is read in one transaction; what counts against people and channels is counted in another, short one, which
looks once more at what was called off or held back meanwhile.
"""

import time
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
from amplify.delivery.form_letters import FormLetters
from amplify.delivery.models import PENDING, Message
from amplify.delivery.objections import rules_against
from amplify.delivery.render import Rendered

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
    # When it was looked at, by time.monotonic.
    at: float = 0.0


class _Draft(NamedTuple):
    """One that is to be sent: as it will be seen, or what went wrong when it was written."""

    message: Message
    brand: Brand
    rendered: Rendered | None
    failure: TransientFailure | None


def check(sessions: Callable[[], Session], settings: Settings, ids: Sequence[int], release: str = "") -> Checked:
    """Look at these. `release`: those that were handed over otherwise meanwhile are left to the other one."""
    found = Checked()
    with reading(), sessions() as session:
        messages = list(session.scalars(_to_be_sent(session, sa.select(Message), ids, release)))
        brands = {number: session.get_one(Brand, number) for number in {one.brand_id for one in messages}}
        session.commit()  # writing takes longer than reading
        letters = FormLetters()
        drafts = {one.id: _write(letters, one, brands[one.brand_id]) for one in messages}
        now, found.at = clock.now(), time.monotonic()
        there = session.scalars(_to_be_sent(session, sa.select(Message.id), list(drafts), release))
        leaving = _look(session, [drafts[number] for number in there], now, found)
        for draft in leaving:
            _address(session, settings, draft, found)
    counted = [d.message.id for d in leaving if d.message.id in found.ready and pacing.is_counted(d.brand, d.message)]
    if found.waits or counted:
        _admit(sessions, counted, now, found)
    return found


def _to_be_sent(session: Session, what: Any, ids: Sequence[int], release: str) -> Any:
    ours = what.where(is_among(session, Message.id, ids), Message.state.in_(PENDING)).order_by(Message.id)
    return ours.where(Message.release == release) if release else ours


def _write(letters: FormLetters, message: Message, brand: Brand) -> _Draft:
    """One message that cannot be rendered must not hold up the others; a mended template lets it go."""
    try:
        return _Draft(message, brand, letters.render(message, brand), None)
    except Exception as error:
        log.exception("message not rendered", message=message.id, template=message.template)
        return _Draft(message, brand, None, TransientFailure(f"cannot be rendered: {type(error).__name__}"))


def _look(session: Session, drafts: Sequence[_Draft], now: datetime, found: Checked) -> list[_Draft]:
    """Those that may leave; the others are noted in `found`."""
    found.forbidden = rules_against(session, [draft.message for draft in drafts])
    people: set[tuple[int, str]] = set()
    leaving = []
    for draft in drafts:
        message, brand = draft.message, draft.brand
        who = message.brand_id, message.person
        if message.id in found.forbidden:
            continue
        if message.person and who in people:
            found.not_yet.append(message.id)
        elif wait := pacing.quiet(brand, message, now):
            found.waits[message.id] = wait
        else:
            leaving.append(draft)
        people.add(who)
    return leaving


def _address(session: Session, settings: Settings, draft: _Draft, found: Checked) -> None:
    """One that may leave, with how to reach its reader."""
    message, brand, rendered, failure = draft
    if rendered is None or failure is not None:
        found.broken[message.id] = failure or TransientFailure("not written")
        return
    endpoint = endpoints.of_address(session, message.address)
    target = endpoints.opened(endpoint, settings.secret) if endpoint else None
    found.ready[message.id] = Outgoing(
        message_id=message.message_id,
        address=message.address,
        sender=settings.mail_from,
        sender_name=brand.name,
        rendered=rendered,
        unsubscribe_url=rendered.unsubscribe_url,
        target=target or {},
        template=message.template,
        facts=message.context,
    )


def _admit(sessions: Callable[[], Session], counted: Sequence[int], now: datetime, found: Checked) -> None:
    """Count messages, or put them off. What was called off or held back since it was looked at does not leave."""
    with sessions() as session, session.begin():
        asked = _to_be_sent(session, sa.select(*pacing.ASKED), [*found.waits, *counted], "")
        rows = session.execute(asked.with_for_update()).all()
        brands = {number: session.get_one(Brand, number) for number in sorted({row.brand_id for row in rows})}
        found.waits |= pacing.admit(session, brands, [row for row in rows if row.id not in found.waits], now)
        left = {row.id for row in rows}
        for message_id, wait in found.waits.items():
            if message_id in left:
                session.get_one(Message, message_id).put_off(wait.until, wait.rule)
    for message_id in counted:
        if message_id not in left or message_id in found.waits:
            del found.ready[message_id]
