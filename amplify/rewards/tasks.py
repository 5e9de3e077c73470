"""What staff has to do for rewards that no machine gives: a line for each, until somebody says that it is done."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.rewards.models import Push, Reward
from amplify.rewards.types import registry
from amplify.sharing.models import Advocate


class Task(NamedTuple):
    """One thing to do, and for whom."""

    push: Push
    reward: Reward
    campaign: Campaign
    name: str
    email: str | None

    @property
    def what(self) -> str:
        """What the marketer wrote for staff."""
        return str(self.reward.settings.get("item", ""))


def open_tasks(session: Session, brand_id: int, limit: int | None = None, offset: int = 0) -> Iterator[Task]:
    """What is to be done, the oldest first. The person has been told already."""
    found = (
        sa.select(Push, Reward, Campaign)
        .add_columns(sa.func.coalesce(Customer.name, Advocate.shown_name, Advocate.pseudonym), Customer.email)
        .join(Reward, Reward.id == Push.reward_id)
        .join(Campaign, Campaign.id == Push.campaign_id)
        .join(Advocate, Advocate.id == Push.advocate_id)
        .outerjoin(Customer, Customer.id == Advocate.customer_id)
        .where(*_open(brand_id))
        .order_by(Push.id)
    )
    return (Task(*row) for row in session.execute(found.limit(limit).offset(offset)))


def count_open(session: Session, brand_id: int) -> int:
    """How many there are."""
    return int(session.scalar(sa.select(sa.func.count(Push.id)).where(*_open(brand_id))) or 0)


def finish(session: Session, brand_id: int, push_id: int, actor: str) -> Push:
    """It is done. Saying it twice changes nothing. Raises NotFound, or Conflict by state."""
    mine = sa.select(Push).join(Reward).where(Push.id == push_id, Push.brand_id == brand_id)
    locked = mine.where(Reward.type.in_(_types())).with_for_update(of=Push)
    push = session.scalar(locked.execution_options(populate_existing=True))
    if push is None:
        raise NotFound(_l("There is no such task."))
    if push.state != "redeemed":
        push.move("redeem")
        push.redeemed_at = clock.now()
        audit.record(session, brand_id, actor, "push.done", "push", push.id, {})
    session.flush()
    return push


def _types() -> list[str]:
    return [kind.name for kind in registry().values() if kind.is_task]


def _open(brand_id: int) -> tuple[Any, ...]:
    rewards = sa.select(Reward.id).where(Reward.brand_id == brand_id, Reward.type.in_(_types()))
    return Push.brand_id == brand_id, Push.reward_id.in_(rewards), Push.state == "sent"
