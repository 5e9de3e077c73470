"""Points as a thank-you: recognition on the board. They never count towards another reward (product.md, rule 2)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.bulk import is_among
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards.reactions import write
from amplify.rewards.models import Push, Reward
from amplify.rewards.types import RewardType


class PointsSettings(BaseModel):
    """`item`: how many."""

    model_config = ConfigDict(extra="forbid")

    item: str = Field(pattern=r"^[1-9][0-9]{0,6}$")


class Points(RewardType):
    """Written into the points ledger once the person has been told, once for each push."""

    name = "points"
    label = _l("Recognition points")
    hint = _l("Points on the board; say how many. They never count towards another reward.")
    icon = "award"
    settings_model: ClassVar[type[BaseModel]] = PointsSettings
    example: ClassVar[Mapping[str, str]] = {"item": "50"}
    gives_codes = False

    def told(self, session: Session, reward: Reward, push_ids: Sequence[int]) -> None:
        same = {
            "brand_id": reward.brand_id,
            "campaign_id": reward.campaign_id,
            "business_line_id": None,
            "location_id": None,
            "link_id": None,
            "cause": "reward",
            "reverses_id": None,
            "milli_points": int(reward.settings["item"]) * 1000,
            "is_reward_eligible": False,
            "occurred_at": clock.now(),
        }
        told = sa.select(Push.id, Push.advocate_id).where(is_among(session, Push.id, push_ids)).order_by(Push.id)
        write(
            session,
            [same | {"advocate_id": who, "cause_key": f"push:{number}"} for number, who in session.execute(told)],
        )


reward_type = Points()
