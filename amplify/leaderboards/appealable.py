"""One click or one order of an advocate: what it was judged to be, by which rule, and what the ledger says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards.decided import RESTORED, subject_of
from amplify.leaderboards.models import EntryAppeal, PointsEntry
from amplify.sharing.models import ShareLink
from amplify.tracking.conversions import ATTRIBUTED, PENDING
from amplify.tracking.models import Click, ClickVerdict, Conversion

# What can be appealed: the things that points toward rewards come from, and the cause by which each earns.
CAUSE_OF = {"click": "human_click", "conversion": "conversion"}
PAGE = 25


@dataclass(frozen=True)
class Thing:
    """A click or an order with its evidence. `rule` of an order is its attribution; `agent` says what a click sent."""

    subject: str
    link: ShareLink
    at: datetime
    verdict: str
    rule: str
    agent: str
    order_id: str
    # The last entry by which it earned, and the cause of the one that took that back.
    last: PointsEntry | None
    taken_by: str | None

    @property
    def kind(self) -> str:
        """click or conversion."""
        return self.subject.split(":")[0]

    @property
    def counts(self) -> bool:
        """Whether it has points now."""
        return self.last is not None and self.taken_by is None


@dataclass(frozen=True)
class Kept:
    """A line of a list of things with the same verdict; the appeal about it, if there is one."""

    subject: str
    at: datetime
    channel: str
    rule: str
    appeal: EntryAppeal | None


def thing_of(session: Session, brand_id: int, subject: str) -> Thing:
    """The click ("click:91") or order ("conversion:7") of this brand. Raises NotFound; also while it is not judged."""
    kind, _colon, number = subject.partition(":")
    if kind not in CAUSE_OF or not number.isdecimal() or len(number) > 18 or number.startswith("0"):
        raise _unknown()
    facts = _click(session, brand_id, int(number)) if kind == "click" else _order(session, brand_id, int(number))
    last, taken_by = _last_earning(session, brand_id, subject)
    if facts is None and last is not None and last.link_id is not None:
        # The raw click is removed after the brand's time; that it counted stands in the ledger.
        facts = _removed(session, last.link_id, last.occurred_at, "human", "")
    if facts is None:
        raise _unknown()
    return Thing(subject=subject, last=last, taken_by=taken_by, **facts)


def thing_about(session: Session, appeal: EntryAppeal) -> Thing:
    """What an appeal is about, as it is now; if the raw click is gone, as it was."""
    try:
        return thing_of(session, appeal.brand_id, appeal.subject)
    except NotFound:
        was = _removed(session, appeal.link_id, appeal.occurred_at, appeal.verdict, appeal.rule)
        return Thing(subject=appeal.subject, last=None, taken_by=None, **was)


def kept(session: Session, advocate_id: int, kind: str, verdict: str, page: int) -> tuple[list[Kept], bool]:
    """A page of an advocate's clicks (or orders) with one verdict (or attribution), the latest first; are there more?

    What has no verdict yet, or none that says no, is not there.
    """
    found = (_clicks if kind == "click" else _orders)(advocate_id, verdict)
    rows = session.execute(found.limit(PAGE + 1).offset((page - 1) * PAGE)).all()
    shown = [(f"{kind}:{row.id}", row) for row in rows[:PAGE]]
    told = appeals_about(session, [subject for subject, _row in shown])
    return [Kept(name, row.at, row.channel, row.rule, told.get(name)) for name, row in shown], len(rows) > PAGE


def appeals_about(session: Session, subjects: Sequence[str]) -> dict[str, EntryAppeal]:
    """Subject -> the latest appeal about it."""
    about = sa.select(EntryAppeal).where(EntryAppeal.subject.in_(subjects)).order_by(EntryAppeal.id)
    return {one.subject: one for one in session.scalars(about)}


def appeals_of(session: Session, advocate_id: int) -> Sequence[EntryAppeal]:
    """Everything a person told us, the latest first."""
    mine = sa.select(EntryAppeal).where(EntryAppeal.advocate_id == advocate_id)
    return session.scalars(mine.order_by(EntryAppeal.id.desc())).all()


def _removed(session: Session, link_id: int, at: datetime, verdict: str, rule: str) -> dict[str, Any]:
    link = session.get_one(ShareLink, link_id)
    return {"link": link, "at": at, "verdict": verdict, "rule": rule, "agent": "", "order_id": ""}


def _unknown() -> NotFound:
    return NotFound(_l("There is no such visit or purchase."), field="subject", rule="subject-unknown")


def _last_earning(session: Session, brand_id: int, subject: str) -> tuple[PointsEntry | None, str | None]:
    cause = CAUSE_OF[subject_of(subject).split(":")[0]]
    key = PointsEntry.cause_key
    mine = sa.or_(key == subject, key.startswith(f"{subject}:", autoescape=True))
    earned = sa.select(PointsEntry).where(PointsEntry.brand_id == brand_id, mine)
    earned = earned.where(PointsEntry.cause.in_((cause, RESTORED[cause]))).order_by(PointsEntry.id.desc())
    last = session.scalars(earned.limit(1)).first()
    if last is None:
        return None, None
    # The advocate's index finds it; reversals have none of their own.
    taken = PointsEntry.advocate_id == last.advocate_id, PointsEntry.reverses_id == last.id
    by = session.scalars(sa.select(PointsEntry.cause).where(*taken).order_by(PointsEntry.id.desc()).limit(1)).first()
    return last, by


def _click(session: Session, brand_id: int, number: int) -> dict[str, Any] | None:
    asked = (
        sa.select(ShareLink, Click.at, ClickVerdict.verdict, ClickVerdict.rule, Click.user_agent)
        .join_from(Click, ShareLink, ShareLink.id == Click.link_id)
        .join(ClickVerdict, ClickVerdict.click_id == Click.id)
        .where(Click.id == number, ShareLink.brand_id == brand_id)
    )
    row = session.execute(asked).first()
    return None if row is None else dict(zip(("link", "at", "verdict", "rule", "agent"), row, strict=True), order_id="")


def _order(session: Session, brand_id: int, number: int) -> dict[str, Any] | None:
    mine = sa.select(Conversion).where(Conversion.brand_id == brand_id, Conversion.id == number)
    order = session.scalar(mine.where(Conversion.attribution != PENDING))
    link_id = order and (order.link_id or order.named_link_id)
    if order is None or link_id is None:
        return None
    said, told = order.attribution, order.order_id
    link = session.get_one(ShareLink, link_id)
    return {"link": link, "at": order.occurred_at, "verdict": said, "rule": said, "agent": "", "order_id": told}


def _clicks(advocate_id: int, verdict: str) -> sa.Select[Any]:
    columns: tuple[Any, ...] = (Click.id, Click.at, ShareLink.channel, ClickVerdict.rule)
    judged = sa.select(*columns).join_from(ShareLink, ClickVerdict, ClickVerdict.link_id == ShareLink.id)
    joined = judged.join(Click, Click.id == ClickVerdict.click_id)
    return joined.where(ShareLink.advocate_id == advocate_id, ClickVerdict.verdict == verdict).order_by(Click.id.desc())


def _orders(advocate_id: int, attribution: str) -> sa.Select[Any]:
    said = Conversion.attribution
    at, rule = Conversion.occurred_at.label("at"), said.label("rule")
    columns: tuple[Any, ...] = (Conversion.id, at, ShareLink.channel, rule)
    link = ShareLink.id == (Conversion.link_id if attribution == ATTRIBUTED else Conversion.named_link_id)
    joined = sa.select(*columns).join_from(ShareLink, Conversion, link)
    mine = ShareLink.advocate_id == advocate_id, said == attribution, said != PENDING
    return joined.where(*mine).order_by(Conversion.id.desc())
