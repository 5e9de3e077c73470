"""Orders at providers: for each push one, outside any transaction, under a key that was bound when it was planned.

What comes of it is written in a transaction of its own: the reward is there, or the push has failed with the reason
given, or it is asked again later, or the whole campaign waits because the account is empty or its keys are refused.
"""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.failpoints import reach
from amplify.core.outgoing import Client
from amplify.customers.models import Customer
from amplify.fraud import holds
from amplify.rewards import accounts
from amplify.rewards.claims import seal_claim
from amplify.rewards.models import Push, Reward
from amplify.rewards.providers import Later, Order, Ordered, Refused, Stalled
from amplify.rewards.reached import UNDONE, still_reached
from amplify.rewards.settling import settle
from amplify.rewards.states import DUE
from amplify.rewards.types import registry, type_of
from amplify.rewards.ways import Ways
from amplify.sharing.models import Advocate

log = structlog.get_logger(__name__)


class Span(NamedTuple):
    """The ranks of one start that a job looks after."""

    campaign_id: int
    occurrence: int
    first: int
    last: int


@dataclass
class Round:
    """What became of a span: how many were made, and what must be asked again later."""

    made: int = 0
    later: Later | None = None


def ordered_types() -> list[str]:
    """The names of the types whose rewards somebody else makes."""
    return [kind.name for kind in registry().values() if kind.provider]


def order_all(session: Session, client: Client, span: Span) -> Round:
    """Order what is due in this span and has not been ordered. Needs an application context; commits after each."""
    done, rank = Round(), span.first - 1
    while (push := _next(session, span, rank)) is not None:
        rank = push.rank
        try:
            done.made += _order(session, client, push)
        except Later as later:
            session.rollback()
            done.later = later
            if later.is_closed:
                break
    session.rollback()
    return done


def _order(session: Session, client: Client, push: Push) -> int:
    """Order one; 1 if it is there now. Raises Later."""
    reward = session.get_one(Reward, push.reward_id)
    kind, order = type_of(reward.type), _order_of(push, reward)
    try:
        counter = accounts.counter(session, client, push.brand_id, kind)
        session.commit()  # nothing of ours is held while others are asked
        reach("provider-before")
        ordered = kind.order(counter, order)
        reach("provider-after")
    except Refused as refused:
        said = str(refused)
        _conclude(session, push.id, lambda one: settle(session, one, "failed", said))
        return 0
    except Stalled as stalled:
        _stall(session, push.reward_id, str(stalled))
        return 0
    _conclude(session, push.id, lambda one: _note(session, one, ordered))
    time.sleep(kind.provider.seconds_between if kind.provider else 0)
    return 1


def _next(session: Session, span: Span, rank: int) -> Push | None:
    """The next push to be ordered; whoever must not get one any more is settled on the way."""
    campaign = session.get_one(Campaign, span.campaign_id, populate_existing=True)
    if campaign.state in ("paused", "stopped"):
        return None
    mine = Push.campaign_id == span.campaign_id, Push.occurrence == span.occurrence
    due = (
        sa.select(Push, Customer)
        .join(Reward, Reward.id == Push.reward_id)
        .outerjoin(Advocate, Advocate.id == Push.advocate_id)
        .outerjoin(Customer, Customer.id == Advocate.customer_id)
        .where(*mine, Push.rank > rank, Push.rank <= span.last, Push.state.in_(DUE), Push.ordered_at.is_(None))
        .where(Reward.type.in_(ordered_types()), Reward.stalled == "", ~holds.is_whole(Push.advocate_id))
        .order_by(Push.rank)
        .limit(1)
        .execution_options(populate_existing=True)
    )
    brand = session.get_one(Brand, campaign.brand_id)
    while found := session.execute(due).first():
        push: Push = found.Push
        is_friends = push.advocate_id is None  # the shop tells them: no way of ours has to lead there
        rule = None if is_friends else Ways.of(session, brand, [found.Customer]).choose(found.Customer).rule
        if rule is None and still_reached(session, push):
            return push
        _withhold(session, push.id, rule or UNDONE)
    return None


def _withhold(session: Session, push_id: int, rule: str) -> None:
    session.rollback()
    _conclude(session, push_id, lambda one: settle(session, one, "suppressed", rule))


def _order_of(push: Push, reward: Reward) -> Order:
    return Order(
        key=push.order_key,
        code=push.code or "",
        amount_minor=push.amount_minor,
        currency=push.currency,
        name=reward.name.get(push.locale) or next(iter(reward.name.values()), ""),
        locale=push.locale,
        settings=reward.settings,
        expires_at=reward.expires_at,
    )


def _conclude(session: Session, push_id: int, change: Any) -> None:
    push = session.get_one(Push, push_id, with_for_update=True, populate_existing=True)
    change(push)
    session.flush()
    session.commit()


def _note(session: Session, push: Push, ordered: Ordered) -> None:
    """The reward is there. One that was called off meanwhile is paid for all the same: staff is told."""
    if push.ordered_at is not None:
        return
    push.ordered_at, push.order_ref = clock.now(), ordered.reference[:200]
    push.sealed_claim = seal_claim(push, ordered.claim)
    if push.state not in DUE:
        detail = {"state": push.state, "order": push.order_ref}
        audit.record(session, push.brand_id, "system", "push.ordered-too-late", "push", push.id, detail)
        log.error("a reward was ordered and called off meanwhile", push=push.id)


def _stall(session: Session, reward_id: int, reason: str) -> None:
    """Nothing more of this reward until somebody acts."""
    session.rollback()
    reward = session.get_one(Reward, reward_id, with_for_update=True, populate_existing=True)
    if not reward.stalled:
        reward.stalled = reason[:500]
        audit.record(
            session, reward.brand_id, "system", "reward.stalled", "campaign", reward.campaign_id, {"why": reason}
        )
    session.commit()
    log.warning("a provider gives nothing more", reward=reward_id, reason=reason)
