"""Why a score is what it is: every entry with its worth now, adding up to it, and what did not count, by rule."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.leaderboards.appealable import CAUSE_OF
from amplify.leaderboards.boards import WHOLE_BRAND
from amplify.leaderboards.days import day_of, first_day
from amplify.leaderboards.decay import in_hundredths, worth_now
from amplify.leaderboards.decided import COUNTS_AS, subject_of
from amplify.leaderboards.folding import BoardName, boards_of
from amplify.leaderboards.models import PointsEntry
from amplify.leaderboards.scoring import Rules, in_force
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.conversions import ATTRIBUTED
from amplify.tracking.models import ClickCount, Conversion


@dataclass(frozen=True)
class Line:
    """One ledger entry. `milli_points` by the rules in force; `worth_hundredths` its part of the score, in 1/100."""

    cause: str
    channel: str
    occurred_at: datetime
    milli_points: int
    worth_hundredths: int
    is_reward_eligible: bool
    # The ledger entry was taken back later, by the entry of this cause.
    taken_back_by: str | None
    # What it is about, if that can be appealed: "click:91", "conversion:7".
    subject: str


@dataclass(frozen=True)
class NotCounted:
    """So many clicks (or conversions) did not count, by one verdict (or attribution) and its rule."""

    what: str
    verdict: str
    rule: str
    n: int


@dataclass(frozen=True)
class Why:
    """The whole explanation. The `worth_hundredths` of `counted` add up to `score_hundredths` exactly."""

    half_life_days: float
    weights: Mapping[str, Any]
    # Of the last so many days, undecayed; 0: of all time, decayed.
    days: int
    counted: Sequence[Line]
    recognised: Sequence[Line]
    not_counted: Sequence[NotCounted]
    raw_clicks: int

    @property
    def in_short(self) -> list[tuple[str, int, int]]:
        """Cause, how many entries, and their part of the score in 1/100: the most first. Adds up to the score too."""
        worth: Counter[str] = Counter()
        for line in self.counted:
            worth[line.cause] += line.worth_hundredths
        number = Counter(line.cause for line in self.counted)
        return [(cause, number[cause], hundredths) for cause, hundredths in worth.most_common()]

    @property
    def score_hundredths(self) -> int:
        """The score now, in 1/100 point."""
        return sum(line.worth_hundredths for line in self.counted)


def why(session: Session, advocate: Advocate, now: datetime, board: BoardName = WHOLE_BRAND, *, days: int = 0) -> Why:
    """Why an advocate has the score they have on a board of all time, or of the last `days`, newest entry first.

    `counted` is what the score is made of; `recognised` are acts of sharing, which the brand sees and which never count
    toward rewards (product.md rule 2).
    """
    rules = in_force(session, advocate.brand_id)
    entries = _entries(session, advocate, board)
    if days:
        entries = [pair for pair in entries if day_of(pair[0].occurred_at) >= first_day(days, now)]
    counted = [pair for pair in entries if pair[0].is_reward_eligible]
    recognised = [pair for pair in entries if not pair[0].is_reward_eligible]
    reversals = {entry.reverses_id: entry.cause for entry, _ in entries if entry.reverses_id is not None}
    age = None if days else now
    return Why(
        half_life_days=rules.half_life_days,
        weights=rules.weights,
        days=days,
        counted=_lines(counted, reversals, rules, age),
        recognised=_lines(recognised, reversals, rules, age),
        not_counted=[*_clicks_not_counted(session, advocate.id), *_orders_not_counted(session, advocate.id)],
        raw_clicks=_raw_clicks(session, advocate.id),
    )


def _entries(session: Session, advocate: Advocate, board: BoardName) -> list[tuple[PointsEntry, str]]:
    mine = (
        sa.select(PointsEntry, ShareLink.channel)
        .outerjoin(ShareLink, ShareLink.id == PointsEntry.link_id)
        .where(PointsEntry.brand_id == advocate.brand_id, PointsEntry.advocate_id == advocate.id)
        .order_by(PointsEntry.occurred_at.desc(), PointsEntry.id.desc())
    )
    return [(entry, channel or "") for entry, channel in session.execute(mine) if board in boards_of(entry)]


def _lines(
    entries: Sequence[tuple[PointsEntry, str]], reversals: dict[int, str], rules: Rules, now: datetime | None
) -> list[Line]:
    """`now` None: not decayed."""
    worth = _points(entries, rules)
    worths = in_hundredths(
        [
            worth_now(worth[entry.id], entry.occurred_at, now or entry.occurred_at, rules.half_life_days)
            for entry, _ in entries
        ]
    )
    return [
        Line(
            cause=entry.cause,
            channel=channel,
            occurred_at=entry.occurred_at,
            milli_points=worth[entry.id],
            worth_hundredths=now_worth,
            is_reward_eligible=entry.is_reward_eligible,
            taken_back_by=reversals.get(entry.id),
            subject=_subject(entry),
        )
        for (entry, channel), now_worth in zip(entries, worths, strict=True)
    ]


def _subject(entry: PointsEntry) -> str:
    is_thing = entry.reverses_id is None and COUNTS_AS.get(entry.cause, entry.cause) in CAUSE_OF.values()
    return subject_of(entry.cause_key) if is_thing else ""


def _points(entries: Sequence[tuple[PointsEntry, str]], rules: Rules) -> dict[int, int]:
    """Entry id -> the milli-points it counts by these rules; a reversal what it takes back: a second one nothing."""
    points = {
        entry.id: rules.milli_points(entry.cause, entry.milli_points)
        for entry, _ in entries
        if entry.reverses_id is None
    }
    left = dict(points)
    for entry in sorted((entry for entry, _ in entries), key=lambda one: one.id):
        if entry.reverses_id is not None:
            points[entry.id] = -left[entry.reverses_id]
            left[entry.reverses_id] = 0
    return points


def _clicks_not_counted(session: Session, advocate_id: int) -> list[NotCounted]:
    counted = (
        sa.select(ClickCount.verdict, ClickCount.rule, sa.func.sum(ClickCount.n))
        .join(ShareLink, ShareLink.id == ClickCount.link_id)
        .where(ShareLink.advocate_id == advocate_id, ClickCount.verdict != "human")
        .group_by(ClickCount.verdict, ClickCount.rule)
        .order_by(sa.func.sum(ClickCount.n).desc(), ClickCount.rule)
    )
    return [NotCounted("click", verdict, rule, int(n)) for verdict, rule, n in session.execute(counted)]


def _orders_not_counted(session: Session, advocate_id: int) -> list[NotCounted]:
    counted = (
        sa.select(Conversion.attribution, sa.func.count())
        .join(ShareLink, ShareLink.id == Conversion.named_link_id)
        .where(ShareLink.advocate_id == advocate_id, Conversion.attribution != ATTRIBUTED)
        .group_by(Conversion.attribution)
        .order_by(Conversion.attribution)
    )
    return [NotCounted("conversion", rule, rule, n) for rule, n in session.execute(counted)]


def _raw_clicks(session: Session, advocate_id: int) -> int:
    mine = sa.select(sa.func.sum(ClickCount.n)).join(ShareLink, ShareLink.id == ClickCount.link_id)
    return int(session.scalar(mine.where(ShareLink.advocate_id == advocate_id)) or 0)
