"""What friends get, as a marketer writes it: checked, attached and taken away like the advocates' side."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import Line, read
from amplify.core.errors import AmplifyError, Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards import services
from amplify.rewards.models import FRIEND, Reward
from amplify.rewards.schemas import Minor, RewardIn
from amplify.rewards.types import registry, type_of

# When a friend's reward is given, as a sentence for staff. The names are stored.
WHEN = {
    "arrival": _l("When they arrive, for the purchase they may make"),
    "purchase": _l("When they have bought, for their next purchase"),
}
# Where the form and files keep what is about friends.
ABOVE = "friend."


class FriendIn(BaseModel):
    """A friend's reward as it is written. `cap_advocate`: at most so many friends of one advocate; `new_only`: nobody
    whose mailbox has bought before. The other fields are those of the advocates' reward (RewardIn)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Annotated[Line, Field(max_length=40)]
    name: dict[Literal["en", "es"], Annotated[Line, Field(max_length=80)]]
    value_minor: Minor = 0
    currency: Annotated[Line, Field(min_length=3, max_length=3)]
    budget_minor: Minor | None = None
    cap_total: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    cap_day: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    cap_advocate: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    when: Literal["arrival", "purchase"] = "arrival"
    new_only: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)
    expires_on: date | None = None

    def as_reward(self) -> RewardIn:
        """The part that both sides have."""
        plain = self.model_dump(exclude={"when", "new_only", "cap_advocate"}) | {"cap_person": self.cap_advocate}
        made: RewardIn = read(RewardIn, plain)
        return made


def attach(session: Session, campaign: Campaign, data: FriendIn, actor: str) -> Reward:
    """Give friends this reward, or change the one they have. Raises what `services.attach` does, with fields named
    "friend.…", and Invalid("friend.type") for what cannot be shown to somebody we do not know."""
    rule = {"when": data.when, "new_only": data.new_only}
    try:
        if not type_of(data.type).suits_friends:
            message = _l("Friends get a code that the shop shows them: we know nobody to send something else to.")
            raise Invalid("type", "codes-for-friends", message)
        return services.write_side(session, campaign, data.as_reward(), FRIEND, rule, actor)
    except AmplifyError as refused:
        if refused.field and not refused.field.startswith(("texts.", "repeats.")):
            field = {"cap_person": "cap_advocate", "reward.type": "type"}.get(refused.field, refused.field)
            refused.field = f"{ABOVE}{field}"
        raise


def detach(session: Session, campaign: Campaign, actor: str) -> None:
    """Friends get nothing. Raises Conflict after a start."""
    services.detach(session, campaign, actor, FRIEND)


def of(session: Session, campaign: Campaign) -> Reward | None:
    """What friends get, if anything."""
    return services.reward_of(session, campaign, FRIEND)


def types() -> list[str]:
    """The names of the types that friends can be given."""
    return [kind.name for kind in registry().values() if kind.suits_friends]
