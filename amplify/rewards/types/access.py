"""A status or a door that opens: early access, a members' list, a title. Staff unlocks it and says that it is done."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.types import RewardType


class StatusSettings(BaseModel):
    """`item`: the status, as the brand's own systems call it."""

    model_config = ConfigDict(extra="forbid")

    item: str = Field(min_length=1, max_length=200)


class Access(RewardType):
    """Costs nothing and means much; the last day of the reward is the last day of the status."""

    name = "access"
    label = _l("Access or a status")
    hint = _l("Early access, a club, a title: say which. Your team gets a task for each.")
    icon = "key-round"
    settings_model: ClassVar[type[BaseModel]] = StatusSettings
    example: ClassVar[Mapping[str, str]] = {"item": "gold"}
    gives_codes = False
    is_task = True


reward_type = Access()
