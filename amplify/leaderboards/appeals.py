"""Appeals of single clicks and orders: what the person says, what staff decide, and the entry that puts it right.

To agree turns around whether the thing counts. That is written once (the entry's cause and key are unique), in no
rule's power afterwards (`decided.py`), and moves the standings as every entry does.
"""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.db import close_fence
from amplify.core.errors import NotFound, TooMany
from amplify.core.i18n import lazy_gettext as _l
from amplify.fraud.objections import held, known, said, unknown_appeal
from amplify.leaderboards.appealable import CAUSE_OF, Thing, thing_about, thing_of
from amplify.leaderboards.decided import GIVEN_BACK, RESTORED
from amplify.leaderboards.models import EntryAppeal, PointsEntry
from amplify.leaderboards.reactions import FENCE, entry_of, reversal_of, write
from amplify.leaderboards.set_aside import again
from amplify.sharing.models import Advocate

# One person's appeals in a day.
MOST, DAY = 10, timedelta(days=1)


def appeal(session: Session, advocate: Advocate, subject: str, text: str) -> EntryAppeal:
    """What a person says about a click or order of theirs: that it should count, or, if it counts, that it should not.

    Raises NotFound (not theirs), Invalid("text"), Conflict("appealed"), TooMany.
    """
    thing = thing_of(session, advocate.brand_id, subject)
    if thing.link.advocate_id != advocate.id:
        raise NotFound(_l("There is no such visit or purchase."), field="subject", rule="subject-unknown")
    row = {
        "brand_id": advocate.brand_id, "advocate_id": advocate.id, "subject": thing.subject,
        "wants_counted": not thing.counts, "link_id": thing.link.id, "occurred_at": thing.at,
        "verdict": thing.verdict, "rule": thing.rule, "text": said("text", text), "at": clock.now(), "outcome": "open",
        "reason": "", "answered_by": "",
    }  # fmt: skip
    _check_rate(session, advocate)
    about = EntryAppeal.subject == thing.subject
    waits = about, EntryAppeal.outcome.in_(("open", "accepted"))
    is_known = session.scalar(sa.select(EntryAppeal.id).where(*waits).limit(1)) is not None
    if is_known or not insert_ignore(session, EntryAppeal, [row]):
        raise known()
    return session.scalars(sa.select(EntryAppeal).where(about, EntryAppeal.outcome == "open")).one()


def appeal_of(session: Session, brand_id: int, appeal_id: int) -> EntryAppeal:
    """The appeal, held until the end: two people must not both answer it. Raises NotFound."""
    return held(session, EntryAppeal, brand_id, appeal_id, unknown_appeal())


def answer(session: Session, found: EntryAppeal, *, is_accepted: bool, actor: str, reason: str) -> None:
    """Agree, which is an entry of the ledger, or not; the person reads the reason.

    Raises Conflict("answered"), Invalid("reason").
    """
    words = said("reason", reason)
    found.check_open()
    # No rule may write about it between what is read now and the decision's entry.
    close_fence(session, FENCE)
    thing = thing_about(session, found)
    if is_accepted and thing.counts != found.wants_counted:
        write(session, [_restored(session, thing) if found.wants_counted else _taken_back(thing)])
    # Only now: what is decided is written about no more.
    found.answer(is_accepted=is_accepted)
    found.reason, found.answered_by = words, actor
    detail = {"subject": thing.subject, "verdict": thing.verdict, "rule": thing.rule, "reason": words}
    audit.record(session, found.brand_id, actor, f"appeal.{found.outcome}", "entry_appeal", found.id, detail)
    session.flush()


def _restored(session: Session, thing: Thing) -> dict[str, Any]:
    """The points it would have had, or those it lost, at its own time."""
    cause = CAUSE_OF[thing.kind]
    if thing.last is None:
        weights = session.get_one(Brand, thing.link.brand_id).weights
        entry = entry_of(thing.link, weights, cause, thing.subject, thing.at)
    else:
        entry = again(thing.last)
    return entry | {"cause": RESTORED[cause], "cause_key": thing.subject}


def _taken_back(thing: Thing) -> dict[str, Any]:
    last: PointsEntry | None = thing.last
    if last is None:
        raise ValueError("what counts has an entry")
    return reversal_of(last, GIVEN_BACK, thing.subject)


def _check_rate(session: Session, advocate: Advocate) -> None:
    """Their row is held, so that many at once are counted too."""
    session.execute(sa.select(Advocate.id).where(Advocate.id == advocate.id).with_for_update())
    lately = EntryAppeal.advocate_id == advocate.id, EntryAppeal.at > clock.now() - DAY
    if (session.scalar(sa.select(sa.func.count(EntryAppeal.id)).where(*lately)) or 0) >= MOST:
        message = _l("You can tell us about %(n)s things a day. Please come back tomorrow.", n=MOST)
        raise TooMany(message, retry_after=int(DAY.total_seconds()))
