"""Codes that the brand uploads, each given once."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.models import Push, Reward, RewardCode
from amplify.rewards.types import RewardType


class CodePool(RewardType):
    """A push takes the oldest free code by conditional update; it never goes back."""

    name = "code_pool"
    label = _l("Codes that you upload")
    hint = _l("A file with one code per line; each is given to one person.")
    icon = "upload"
    takes_upload = True

    def available(self, session: Session, reward: Reward) -> int:
        free = sa.select(sa.func.count()).where(RewardCode.reward_id == reward.id, RewardCode.push_id.is_(None))
        return int(session.scalar(free) or 0)

    def reserve(self, session: Session, reward: Reward, count: int) -> list[str]:
        free = sa.select(RewardCode.code).where(RewardCode.reward_id == reward.id, RewardCode.push_id.is_(None))
        return list(session.scalars(free.order_by(RewardCode.id).limit(count).with_for_update(skip_locked=True)))

    def settle(self, session: Session, reward: Reward, codes: Sequence[str]) -> int:
        owner = sa.select(Push.id).where(Push.brand_id == RewardCode.brand_id, Push.code == RewardCode.code)
        taken = (
            sa.update(RewardCode)
            .where(RewardCode.reward_id == reward.id, RewardCode.push_id.is_(None), RewardCode.code.in_(codes))
            .values(push_id=owner.scalar_subquery())
            .returning(RewardCode.id)
            .execution_options(synchronize_session=False)
        )
        return len(session.execute(taken).all())

    def sample(self, reward: Reward) -> str:
        return "SAMPLE-CODE"


reward_type = CodePool()
