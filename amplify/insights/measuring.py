"""What a start brought: the people it rewarded beside those it kept back by chance, counted in the same way.

Both groups are drawn from the ranks that the start rewarded (whoever was kept back further down would not have got one
anyway), and everybody stays in the group they were drawn into, whatever became of their mail. The window runs from the
moment the ranking was frozen to the next start, to the campaign's end, or to now while it runs.
"""

from dataclasses import astuple, dataclass
from datetime import datetime
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.intervals import Sums
from amplify.leaderboards.models import Snapshot
from amplify.rewards import holdout
from amplify.rewards.models import Friend, LeftOut, Push
from amplify.rewards.queries import opens, snapshots
from amplify.rewards.states import GIVEN_BACK
from amplify.sharing.models import Share, ShareLink
from amplify.tracking.models import Click, ClickVerdict, Conversion

# What is counted per person.
COUNTED = ("shares", "clicks", "conversions", "revenue")


@dataclass(frozen=True)
class Group:
    """One of the two groups: per outcome how many people had any, and the sums over all of its people."""

    people: int
    having: dict[str, int]
    sums: dict[str, Sums]


@dataclass(frozen=True)
class Delivered:
    """What became of a start's pushes, and what they cost (cancelled and suppressed ones cost nothing); the same of
    what friends of the rewarded people were given in the window."""

    pushed: int
    sent: int
    failed: int
    redeemed: int
    cost_minor: int
    # By people as far as can be told, and by machines; 0 unless the brand counts opens.
    opened: int = 0
    opened_by_machines: int = 0
    friends: int = 0
    friends_redeemed: int = 0
    friends_cost_minor: int = 0

    @property
    def whole_cost_minor(self) -> int:
        """Of both sides."""
        return self.cost_minor + self.friends_cost_minor


@dataclass(frozen=True)
class Measured:
    """A start, measured from `since` to `until`. Money in minor units of `currency`."""

    since: datetime
    until: datetime
    currency: str
    delivered: Delivered
    rewarded: Group
    held_out: Group


def measure(session: Session, campaign: Campaign, number: int | None = None) -> Measured | None:
    """The start of this number, or the latest; None: there was none."""
    taken = snapshots(session, campaign)
    found = next((one for one in reversed(taken) if number in (None, one.occurrence)), None)
    return _measured(session, campaign, found, taken) if found is not None else None


def measure_all(session: Session, campaign: Campaign) -> Measured | None:
    """All starts together: their windows do not overlap, and who was in several of them counts in each."""
    taken = snapshots(session, campaign)
    each = [_measured(session, campaign, one, taken) for one in taken]
    return reduce(_together, each) if each else None


def _measured(session: Session, campaign: Campaign, snapshot: Snapshot, taken: list[Snapshot]) -> Measured:
    since = snapshot.taken_at
    ends = [one.taken_at for one in taken if one.occurrence > snapshot.occurrence]
    until = min([campaign.finished_at or clock.now(), *ends])
    brand = session.get_one(Brand, campaign.brand_id)
    rows = session.execute(_grouped(_people(snapshot), since, until, brand.currency))
    groups = {bool(row.is_rewarded): _group(row._mapping) for row in rows}
    nobody = Group(0, dict.fromkeys(COUNTED, 0), dict.fromkeys(COUNTED, Sums(0, 0, 0)))
    return Measured(
        since,
        until,
        brand.currency,
        _delivered(session, campaign, snapshot, since, until),
        groups.get(True, nobody),
        groups.get(False, nobody),
    )


def _together(one: Measured, other: Measured) -> Measured:
    told = [a + b for a, b in zip(astuple(one.delivered), astuple(other.delivered), strict=True)]
    groups = _joined(one.rewarded, other.rewarded), _joined(one.held_out, other.held_out)
    return Measured(one.since, other.until, one.currency, Delivered(*told), *groups)


def _joined(one: Group, other: Group) -> Group:
    having = {name: one.having[name] + other.having[name] for name in COUNTED}
    sums = {name: _added(one.sums[name], other.sums[name]) for name in COUNTED}
    return Group(one.people + other.people, having, sums)


def _added(one: Sums, other: Sums) -> Sums:
    return Sums(one.n + other.n, one.total + other.total, one.squares + other.squares)


def _of(model: Any, snapshot: Snapshot) -> tuple[sa.ColumnElement[bool], ...]:
    return model.campaign_id == snapshot.campaign_id, model.occurrence == snapshot.occurrence


def _delivered(session: Session, campaign: Campaign, snapshot: Snapshot, since: datetime, until: datetime) -> Delivered:
    counted = sa.select(
        sa.func.count(),
        sa.func.count(Push.sent_at),
        sa.func.count(sa.case((Push.state == "failed", 1))),
        sa.func.count(Push.redeemed_at),
        sa.func.coalesce(sa.func.sum(sa.case((Push.state.not_in(GIVEN_BACK), Push.amount_minor))), 0),
    )
    pushed, sent, failed, redeemed, cost = session.execute(counted.where(*_of(Push, snapshot))).one()
    told = opens(session, campaign, snapshot.occurrence)
    opened = told["proxy"] + told["person"], told["machine"]
    friends = _friends(session, snapshot, since, until)
    return Delivered(pushed, sent, failed, redeemed, int(cost), *opened, *friends)


def _friends(session: Session, snapshot: Snapshot, since: datetime, until: datetime) -> tuple[int, int, int]:
    """How many friends were given something in the window, how many used it, and what it cost: friends who came through
    a link of somebody rewarded, so that they stand on the same side as the conversions."""
    rewarded = sa.select(Push.advocate_id).where(*_of(Push, snapshot))
    counted = sa.select(
        sa.func.count(), sa.func.count(Push.redeemed_at), sa.func.coalesce(sa.func.sum(Push.amount_minor), 0)
    )
    joined = counted.select_from(Friend).join(Push, Push.id == Friend.push_id)
    theirs = joined.join(ShareLink, ShareLink.id == Friend.link_id).where(ShareLink.advocate_id.in_(rewarded))
    here = Friend.campaign_id == snapshot.campaign_id, Push.planned_at >= since, Push.planned_at <= until
    given, redeemed, cost = session.execute(theirs.where(*here, Push.state.not_in(GIVEN_BACK))).one()
    return given, redeemed, int(cost)


def _people(snapshot: Snapshot) -> sa.CTE:
    """The advocates of both groups."""
    last = sa.select(sa.func.max(Push.rank)).where(*_of(Push, snapshot)).scalar_subquery()
    given = sa.select(Push.advocate_id, sa.literal(1).label("is_rewarded")).where(*_of(Push, snapshot))
    kept = sa.select(LeftOut.advocate_id, sa.literal(0)).where(
        *_of(LeftOut, snapshot), LeftOut.rule == holdout.RULE, LeftOut.rank <= last
    )
    return sa.union(given, kept).cte("people")


def _shared(people: sa.CTE, since: datetime, until: datetime) -> sa.CTE:
    """Their links on which a share was opened in the window: since when, and how many shares a click confirmed."""
    made = sa.select(
        ShareLink.id.label("link_id"),
        ShareLink.advocate_id,
        sa.func.min(Share.opened_at).label("since"),
        sa.func.count(Share.confirmed_at).label("shares"),
    )
    theirs = made.join(people, people.c.advocate_id == ShareLink.advocate_id).join(Share, Share.link_id == ShareLink.id)
    opened = theirs.where(Share.opened_at >= since, Share.opened_at <= until)
    return opened.group_by(ShareLink.id, ShareLink.advocate_id).cte("shared")


def _grouped(people: sa.CTE, since: datetime, until: datetime, currency: str) -> sa.Select[Any]:
    """One row per group: how many people, and per outcome how many had any, the sum and the sum of squares."""
    shared = _shared(people, since, until)
    clicks = _clicks(shared, until)
    orders = _orders(shared, until, currency)
    shares = sa.select(shared.c.advocate_id, sa.func.sum(shared.c.shares).label("shares")).group_by(
        shared.c.advocate_id
    )
    found: sa.FromClause = people
    values: dict[str, Any] = {}
    for part, names in ((shares, ("shares",)), (clicks, ("clicks",)), (orders, ("conversions", "revenue"))):
        each = part.subquery()
        found = found.outerjoin(each, each.c.advocate_id == people.c.advocate_id)
        values |= {name: sa.cast(sa.func.coalesce(each.c[name], 0), sa.Float(53)) for name in names}
    figures = [figure.label(f"{name}_{kind}") for name, value in values.items() for kind, figure in _figures(value)]
    counted = sa.select(people.c.is_rewarded, sa.func.count().label("people"), *figures)
    return counted.select_from(found).group_by(people.c.is_rewarded)


def _figures(value: Any) -> list[tuple[str, Any]]:
    having = sa.func.count(sa.case((value > 0, 1)))
    return [("having", having), ("total", sa.func.sum(value)), ("squares", sa.func.sum(value * value))]


def _clicks(shared: sa.CTE, until: datetime) -> sa.Select[Any]:
    human = sa.and_(ClickVerdict.link_id == shared.c.link_id, ClickVerdict.verdict == "human")
    found = sa.select(shared.c.advocate_id, sa.func.count().label("clicks")).join(ClickVerdict, human)
    inside = Click.at >= shared.c.since, Click.at <= until
    return found.join(Click, Click.id == ClickVerdict.click_id).where(*inside).group_by(shared.c.advocate_id)


def _orders(shared: sa.CTE, until: datetime, currency: str) -> sa.Select[Any]:
    left = Conversion.amount_minor - Conversion.refunded_minor
    revenue = sa.func.sum(sa.case((Conversion.currency == currency, left), else_=0)).label("revenue")
    found = sa.select(shared.c.advocate_id, sa.func.count().label("conversions"), revenue)
    theirs = found.join(Conversion, Conversion.link_id == shared.c.link_id)
    inside = Conversion.occurred_at >= shared.c.since, Conversion.occurred_at <= until
    return theirs.where(*inside, Conversion.refunded_at.is_(None)).group_by(shared.c.advocate_id)


def _group(row: Any) -> Group:
    people = int(row["people"])
    having = {name: int(row[f"{name}_having"]) for name in COUNTED}
    sums = {name: Sums(people, float(row[f"{name}_total"]), float(row[f"{name}_squares"])) for name in COUNTED}
    return Group(people, having, sums)
