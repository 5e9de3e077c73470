"""What a campaign's pushes have come to, and why each person did or did not get one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.customers.models import Customer
from amplify.delivery.addresses import normal_form
from amplify.delivery.models import Message
from amplify.leaderboards.models import Snapshot, SnapshotRow
from amplify.rewards.models import LeftOut, Milestone, Push, Reward
from amplify.rewards.reached import counted
from amplify.rewards.services import reward_of
from amplify.rewards.states import LEFT
from amplify.sharing.models import Advocate, public_name


@dataclass(frozen=True)
class Results:
    """What a campaign has come to. `states`: how many pushes are in each; `left_out`: rule -> people; `waiting`: of
    milestones that are reached, what they wait for ("": their turn) -> how many."""

    snapshot: Snapshot | None
    states: Counter[str]
    left_out: Counter[str]
    reward: Reward | None
    waiting: Counter[str] = field(default_factory=Counter)

    @property
    def pushed(self) -> int:
        return sum(self.states.values())

    @property
    def sent(self) -> int:
        """Took its mail, whatever came after."""
        return sum(self.states[name] for name in LEFT)

    @property
    def chosen(self) -> int:
        """Whom a ranking chose, or who reached a milestone (once for each step)."""
        return self.pushed + self.left_out.total() + self.waiting.total()

    @property
    def is_milestone(self) -> bool:
        """Whether no ranking decides."""
        return self.reward is not None and self.reward.is_milestone


@dataclass(frozen=True)
class Line:
    """One chosen person: a push, or the rule why there is none. `step`: which time they reached the milestone."""

    occurrence: int
    rank: int
    name: str
    state: str
    reason: str
    locale: str = ""
    amount_minor: int | None = None
    sent_at: datetime | None = None
    redeemed_at: datetime | None = None
    step: int = 0


@dataclass(frozen=True)
class Why:
    """The answer to "why did I (not) get it" for one person."""

    name: str
    lines: list[Line] = field(default_factory=list)
    snapshot: Snapshot | None = None
    # What the judgement rested on, if they were chosen: score, human clicks, conversions.
    judged: SnapshotRow | None = None
    # How far they have come towards the campaign's milestone, if it has one.
    reached: int | None = None


def results(session: Session, campaign: Campaign, number: int | None = None) -> Results:
    """The counts of all starts and the latest snapshot, or those of the start of this number."""
    theirs = *_of(Push, campaign, number), Push.advocate_id.is_not(None)
    states = sa.select(Push.state, sa.func.count()).where(*theirs).group_by(Push.state)
    rules = sa.select(LeftOut.rule, sa.func.count()).where(*_of(LeftOut, campaign, number)).group_by(LeftOut.rule)
    waiting = _steps("waiting", campaign, Milestone.rule, sa.func.count()).group_by(Milestone.rule)
    steps = _steps("left_out", campaign, Milestone.rule, sa.func.count()).group_by(Milestone.rule)
    return Results(
        snapshot=_snapshot(session, campaign, number),
        states=_counted(session, states),
        left_out=_counted(session, rules) + _counted(session, steps),
        waiting=_counted(session, waiting),
        reward=reward_of(session, campaign),
    )


def opens(session: Session, campaign: Campaign, number: int | None = None) -> Counter[str]:
    """Kind of program that loaded the picture of a reward's mail (delivery/opens.py) -> how many mails."""
    told = sa.select(Message.opened_by, sa.func.count()).join(Push, Push.message_id == Message.message_id)
    theirs = *_of(Push, campaign, number), Push.advocate_id.is_not(None), Message.opened_by != ""
    loaded = told.where(*theirs).group_by(Message.opened_by)
    return _counted(session, loaded)


def _steps(state: str, campaign: Campaign, *columns: Any) -> Any:
    """Milestones in this state for which there is no push."""
    mine = Milestone.campaign_id == campaign.id, Milestone.state == state, Milestone.push_id.is_(None)
    return sa.select(*columns).where(*mine)


def _counted(session: Session, grouped: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, count in session.execute(grouped):
        found[name] = count
    return found


def _of(model: Any, campaign: Campaign, number: int | None) -> list[sa.ColumnElement[bool]]:
    """Rows of this campaign, of one of its starts or of all (None)."""
    return [model.campaign_id == campaign.id, *([model.occurrence == number] if number is not None else [])]


def snapshots(session: Session, campaign: Campaign) -> list[Snapshot]:
    """The rankings as its starts froze them, the first start first."""
    own = sa.select(Snapshot).where(Snapshot.campaign_id == campaign.id)
    return list(session.scalars(own.order_by(Snapshot.occurrence)))


def _snapshot(session: Session, campaign: Campaign, number: int | None = None) -> Snapshot | None:
    """The ranking as this start froze it, or the last one."""
    own = sa.select(Snapshot).where(*_of(Snapshot, campaign, number))
    return session.scalar(own.order_by(Snapshot.occurrence.desc()).limit(1))


def lines(
    session: Session, campaign: Campaign, limit: int | None = None, offset: int = 0, number: int | None = None
) -> Iterator[Line]:
    """Every chosen person of every start or of one, the last start first, by rank; names as they agreed to be shown."""
    pushed = _pushed().where(*_of(Push, campaign, number))
    left = _left().where(*_of(LeftOut, campaign, number))
    reached = _reached().where(Milestone.campaign_id == campaign.id)
    both = sa.union_all(pushed, left, reached).subquery()
    order = sa.select(both).order_by(both.c.occurrence.desc(), both.c.rank).limit(limit).offset(offset)
    return (Line(**row._mapping) for row in session.execute(order.execution_options(yield_per=1000)))


def why(session: Session, campaign: Campaign, who: str) -> Why | None:
    """By pseudonym, shown name, e-mail address or external id; None if the brand knows nobody like that."""
    advocate = _find(session, campaign.brand_id, who.strip())
    if advocate is None:
        return None
    snapshot = _snapshot(session, campaign)
    mine = [
        *session.execute(_pushed().where(Push.campaign_id == campaign.id, Push.advocate_id == advocate.id)),
        *session.execute(_left().where(LeftOut.campaign_id == campaign.id, LeftOut.advocate_id == advocate.id)),
        *session.execute(_reached().where(Milestone.campaign_id == campaign.id, Milestone.advocate_id == advocate.id)),
    ]
    found = sorted((Line(**row._mapping) for row in mine), key=lambda line: (-line.occurrence, line.step))
    rank = next((line.rank for line in found if snapshot and line.occurrence == snapshot.occurrence), None)
    judged = session.get(SnapshotRow, (snapshot.id, rank)) if snapshot and rank else None
    reward = reward_of(session, campaign)
    if reward is None or not reward.is_milestone:
        return Why(advocate.public_name, found, snapshot, judged)
    reached = counted(session, reward, [advocate.id]).get(advocate.id, 0)
    return Why(advocate.public_name, found, reached=reached)


def names_of(session: Session, advocate_ids: Sequence[int]) -> dict[int, str]:
    """What these advocates are called in the console: the name they agreed to, else the pseudonym."""
    named = sa.select(Advocate.id, public_name()).where(Advocate.id.in_(advocate_ids))
    return {row.id: row.name for row in session.execute(named)}


def _pushed() -> Any:
    columns = (Push.state, Push.reason, Push.locale, Push.amount_minor, Push.sent_at, Push.redeemed_at, Push.step)
    joined = sa.select(Push.occurrence, Push.rank, public_name(), *columns)
    return joined.join(Advocate, Advocate.id == Push.advocate_id)


def _left() -> Any:
    """The same columns as `_pushed`."""
    state, reason = sa.literal("left_out").label("state"), LeftOut.rule.label("reason")
    step = sa.literal(0).label("step")
    joined = sa.select(LeftOut.occurrence, LeftOut.rank, public_name(), state, reason, *_nothing(), step)
    return joined.join(Advocate, Advocate.id == LeftOut.advocate_id)


def _reached() -> Any:
    """The same of steps without a push; their campaign started once, and they have no place."""
    once, no_rank = sa.literal(1).label("occurrence"), sa.literal(0).label("rank")
    said = Milestone.state, Milestone.rule.label("reason")
    joined = sa.select(once, no_rank, public_name(), *said, *_nothing(), Milestone.step)
    return joined.join(Advocate, Advocate.id == Milestone.advocate_id).where(Milestone.push_id.is_(None))


def _nothing() -> tuple[Any, ...]:
    """What only a push has; typed nulls, because a union on PostgreSQL asks for them."""
    return (
        sa.literal("").label("locale"),
        sa.cast(sa.null(), Push.amount_minor.type).label("amount_minor"),
        sa.cast(sa.null(), Push.sent_at.type).label("sent_at"),
        sa.cast(sa.null(), Push.redeemed_at.type).label("redeemed_at"),
    )


def _find(session: Session, brand_id: int, who: str) -> Advocate | None:
    named = sa.or_(Advocate.pseudonym == who, Advocate.shown_name == who, Customer.external_id == who)
    if "@" in who:
        named = sa.or_(named, Customer.email_normal == normal_form(who))
    people = sa.select(Advocate).outerjoin(Customer, Customer.id == Advocate.customer_id)
    return session.scalar(people.where(Advocate.brand_id == brand_id, named).order_by(Advocate.id).limit(1))
