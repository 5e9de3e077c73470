"""Four eyes: a reward worth more than the brand's limit waits until two different people of the staff have agreed.

The first one is noted on the push, the second one lets it go; whoever started the campaign is one pair of eyes like
any other. Machines with a key do not approve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.campaigns.models import Campaign
from amplify.core.bulk import is_among
from amplify.core.errors import Forbidden, Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.tokens import uuid7
from amplify.rewards.delivering import order_each
from amplify.rewards.models import Push, Reward, RewardPolicy
from amplify.rewards.settling import settle
from amplify.sharing.models import Advocate

REFUSED = "refused by staff"
HIGHEST_MINOR = 10**15
# Who has no name: a friend's push stands for nobody we know.
A_FRIEND = _l("A friend")


@dataclass(frozen=True)
class Approved:
    """How many have one agreement now, how many have both and leave, how many wait for somebody else."""

    first: int = 0
    second: int = 0
    own: int = 0


def limit_of(session: Session, brand_id: int) -> int | None:
    """What a reward may be worth at most without approval, in minor units; None: whatever it is."""
    return session.scalar(sa.select(RewardPolicy.approve_above_minor).where(RewardPolicy.brand_id == brand_id))


def set_limit(session: Session, brand_id: int, limit_minor: int | None, actor: str) -> None:
    """From now on; what is planned already stays as it is. Raises Invalid."""
    if limit_minor is not None and not 0 <= limit_minor <= HIGHEST_MINOR:
        raise Invalid("limit", "amount", _l("Give an amount such as 12.50."))
    policy = session.get(RewardPolicy, brand_id) or RewardPolicy(brand_id=brand_id)
    before, policy.approve_above_minor = policy.approve_above_minor, limit_minor
    session.add(policy)
    if before != limit_minor:
        detail = {"before": before, "after": limit_minor}
        audit.record(session, brand_id, actor, "reward-limit.changed", "brand", brand_id, detail)


def first_state(session: Session, reward: Reward) -> str:
    """The state in which a push of this reward begins."""
    limit = limit_of(session, reward.brand_id)
    return "held" if limit is not None and reward.value_minor > limit else "earned"


def waiting(session: Session, brand_id: int, limit: int = 50, offset: int = 0) -> list[Any]:
    """The held pushes with name and campaign, the oldest first."""
    name = sa.func.coalesce(Advocate.shown_name, Advocate.pseudonym, str(A_FRIEND)).label("name")
    held = (
        sa.select(Push, name, Campaign)
        .outerjoin(Advocate, Advocate.id == Push.advocate_id)
        .join(Campaign, Campaign.id == Push.campaign_id)
        .where(*_held(brand_id))
        .order_by(Push.id)
    )
    return list(session.execute(held.limit(limit).offset(offset)).all())


def count_waiting(session: Session, brand_id: int) -> int:
    """How many are held."""
    return int(session.scalar(sa.select(sa.func.count(Push.id)).where(*_held(brand_id))) or 0)


def approve(session: Session, brand_id: int, push_ids: Sequence[int], actor: str) -> Approved:
    """One person agrees to these. Those that somebody else has agreed to before are approved and leave.

    Raises Forbidden for a machine.
    """
    _refuse_machines(actor)
    chosen = *_held(brand_id), is_among(session, Push.id, list(push_ids))
    second = sa.update(Push).where(*chosen, Push.approved_by.is_not(None), Push.approved_by != actor)
    ids = _changed(session, second.values(state="approved"))
    first = _changed(session, sa.update(Push).where(*chosen, Push.approved_by.is_(None)).values(approved_by=actor))
    own = session.scalar(sa.select(sa.func.count(Push.id)).where(*chosen, Push.approved_by == actor)) or 0
    _let_go(session, ids)
    for action, touched in (("push.approved-first", first), ("push.approved", ids)):
        if touched:
            audit.record(session, brand_id, actor, action, "push", touched[0], {"pushes": touched})
    return Approved(len(first), len(ids), int(own) - len(first))


def refuse(session: Session, brand_id: int, push_ids: Sequence[int], actor: str) -> int:
    """One person says no: these are cancelled, and their amounts go back to the budget; how many."""
    _refuse_machines(actor)
    chosen = sa.select(Push).where(*_held(brand_id), is_among(session, Push.id, list(push_ids))).order_by(Push.id)
    pushes = session.scalars(chosen.with_for_update().execution_options(populate_existing=True)).all()
    for push in pushes:
        settle(session, push, "cancelled", REFUSED)
    if pushes:
        ids = [push.id for push in pushes]
        audit.record(session, brand_id, actor, "push.refused", "push", ids[0], {"pushes": ids})
    return len(pushes)


def _held(brand_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    campaigns = sa.select(Campaign.id).where(Campaign.brand_id == brand_id)
    return Push.brand_id == brand_id, Push.campaign_id.in_(campaigns), Push.state == "held"


def _changed(session: Session, change: Any) -> list[int]:
    done = change.returning(Push.id).execution_options(synchronize_session=False)
    return sorted(session.scalars(done))


def _let_go(session: Session, push_ids: Sequence[int]) -> None:
    """Hand what was approved to the job engine, start by start. In a pause it waits for its end."""
    order_each(session, sa.select(Push).where(is_among(session, Push.id, list(push_ids))), f":{uuid7()}")


def _refuse_machines(actor: str) -> None:
    if not actor.startswith("user:"):
        raise Forbidden(_l("Only people approve."), rule="four-eyes")
