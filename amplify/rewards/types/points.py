"""Points as a thank-you: recognition on the board. They never count towards another reward (product.md, rule 2)."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards.reactions import write
from amplify.rewards.models import Push
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

    def told(self, session: Session, push: Push) -> None:
        entry = {
            "brand_id": push.brand_id,
            "advocate_id": push.advocate_id,
            "campaign_id": push.campaign_id,
            "business_line_id": None,
            "location_id": None,
            "link_id": None,
            "cause": "reward",
            "cause_key": f"push:{push.id}",
            "reverses_id": None,
            "milli_points": int(push.reward.settings["item"]) * 1000,
            "is_reward_eligible": False,
            "occurred_at": clock.now(),
        }
        write(session, [entry])


reward_type = Points()
