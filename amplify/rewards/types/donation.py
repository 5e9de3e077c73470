"""A gift to a good cause in the person's name: their task list tells staff what is to be paid, and to whom."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.types import RewardType


class CauseSettings(BaseModel):
    """`item`: who gets the money."""

    model_config = ConfigDict(extra="forbid")

    item: str = Field(min_length=1, max_length=200)


class Donation(RewardType):
    """The worth of one reward is what is given; the budget counts it like any other."""

    name = "donation"
    label = _l("A donation")
    hint = _l("You give its worth to a good cause; say to whom. Your team gets a task for each.")
    icon = "hand-heart"
    settings_model: ClassVar[type[BaseModel]] = CauseSettings
    example: ClassVar[Mapping[str, str]] = {"item": "Sea Rescue"}
    gives_codes = False
    is_task = True


reward_type = Donation()
