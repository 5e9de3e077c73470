"""Codes that the brand uploads, each given once."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.models import Push, Reward, RewardCode
from amplify.rewards.types import RewardType


class CodePool(RewardType):
    """A push takes the oldest free code by conditional update; it never goes back. One statement for all of a chunk."""

    name = "code_pool"
    label = _l("Codes that you upload")
    hint = _l("A file with one code per line; each is given to one person.")
    icon = "upload"
    takes_upload = True

    def available(self, session: Session, reward: Reward) -> int:
        free = sa.select(sa.func.count()).where(RewardCode.reward_id == reward.id, RewardCode.push_id.is_(None))
        return int(session.scalar(free) or 0)

    def reserve(self, session: Session, reward: Reward, push_ids: Sequence[int]) -> list[str]:
        free = sa.select(RewardCode.code).where(RewardCode.reward_id == reward.id, RewardCode.push_id.is_(None))
        return list(
            session.scalars(free.order_by(RewardCode.id).limit(len(push_ids)).with_for_update(skip_locked=True))
        )

    def settle(self, session: Session, reward: Reward, given: Mapping[int, str]) -> int:
        owned = Push.id.between(min(given), max(given)), Push.reward_id == reward.id
        taken = (
            sa.update(RewardCode)
            .where(*owned, RewardCode.brand_id == Push.brand_id, RewardCode.code == Push.code)
            .where(RewardCode.reward_id == reward.id, RewardCode.push_id.is_(None))
            .values(push_id=Push.id)
            .execution_options(synchronize_session=False)
        )
        done: Any = session.execute(taken)
        return int(done.rowcount)

    def owner(self, session: Session, brand_id: int, code: str) -> int | None:
        own = sa.select(RewardCode.push_id).where(RewardCode.brand_id == brand_id, RewardCode.code == code)
        return session.scalar(own)

    def sample(self, reward: Reward) -> str:
        return "SAMPLE-CODE"


reward_type = CodePool()
