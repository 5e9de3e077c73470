"""Things that staff hands over or sends by post: a line in the task list for each, until somebody says it is done."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.types import RewardType


class ItemSettings(BaseModel):
    """`item`: what staff must do or pack."""

    model_config = ConfigDict(extra="forbid")

    item: str = Field(min_length=1, max_length=200)


class Manual(RewardType):
    """A cup, a seat at a table, a call: the person is told, then staff acts."""

    name = "manual"
    label = _l("Something you hand over")
    hint = _l("A present by post, an invitation, a call: your team gets a task for each; say what to do.")
    icon = "clipboard-list"
    settings_model: ClassVar[type[BaseModel]] = ItemSettings
    example: ClassVar[Mapping[str, str]] = {"item": "A cup, size M"}
    gives_codes = False
    is_task = True


reward_type = Manual()
