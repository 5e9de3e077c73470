"""Reward types: one file each, found by being in this folder. A type knows where its codes come from, nothing else.

A type whose reward somebody else makes (a gift card, a discount at the shop) names that `provider` and can `order` one.
"""

from abc import ABC
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.orm import Session

from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.models import Reward
from amplify.rewards.providers import Counter, Order, Ordered, Provider


class NoSettings(BaseModel):
    """For types that have nothing to set."""

    model_config = ConfigDict(extra="forbid")


class RewardType(ABC):
    """What a type must offer. An instance has no state: everything is in the rows."""

    name: ClassVar[str]  # plain text in the database
    label: ClassVar[Any]  # lazy translations
    hint: ClassVar[Any]
    icon: ClassVar[str]
    settings_model: ClassVar[type[BaseModel]] = NoSettings
    # Settings that are valid, for forms to begin with and for tests.
    example: ClassVar[Mapping[str, str]] = {}
    # Policy fact: whether somebody uploads codes before the start.
    takes_upload: ClassVar[bool] = False
    # Whether the person gets a code that is redeemed with us; else `reserve` gives "" for each.
    gives_codes: ClassVar[bool] = True
    # Whether staff does something for each (packs, donates, unlocks) and says when it is done.
    is_task: ClassVar[bool] = False
    # Who makes the reward, if it is not us.
    provider: ClassVar[Provider | None] = None

    @property
    def suits_friends(self) -> bool:
        """Whether it can be given to somebody we do not know: a code that the shop shows them."""
        return self.gives_codes and not self.is_task

    def read_settings(self, given: dict[str, Any]) -> dict[str, Any]:
        """The settings, checked. Raises Invalid naming "settings.<field>"."""
        try:
            return self.settings_model.model_validate(given).model_dump(mode="json")
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            field = ".".join(str(part) for part in ("settings", *first["loc"]))
            rule = first["type"].replace("_", "-")
            raise Invalid(field, rule, _l("This value does not fit: %(why)s", why=first["msg"])) from error

    def prepare(self, session: Session, reward: Reward) -> None:
        """Called when the reward is attached or changed. Raises Invalid."""
        self.read_settings(reward.settings)

    def available(self, session: Session, reward: Reward) -> int | None:
        """How many could be given now; None: as many as you like."""
        return None

    def reserve(self, session: Session, reward: Reward, push_ids: Sequence[int]) -> list[str]:
        """A code that nobody has for each of these pushes to be, in order, in the caller's transaction.

        Fewer when there are no more; then the last pushes will not be.
        """
        return [""] * len(push_ids)

    def settle(self, session: Session, reward: Reward, given: Mapping[int, str]) -> int:
        """Called once pushes (id -> code) are rows; for how many the type agrees (fewer: roll back)."""
        return len(given)

    def told(self, session: Session, reward: Reward, push_ids: Sequence[int]) -> None:  # noqa: B027 - most do nothing
        """Called in the transaction that notes that the messages of these pushes have left."""

    def owner(self, session: Session, brand_id: int, code: str) -> int | None:
        """The id of the push this type gave the code to, if it did; the caller looks at the push itself."""
        return None

    def sample(self, reward: Reward) -> str:
        """A code that is worth nothing, for previews and test pushes; "" where there are no codes."""
        return ""

    def order(self, counter: Counter, order: Order) -> Ordered:
        """Have the provider make one, outside any transaction; the same `order.key` never makes a second.

        Raises providers.Refused (this one never), Later (this one, in a while) or Stalled (none, until staff acts).
        """
        raise NotImplementedError(f"{self.name} has no provider")

    def try_out(self, counter: Counter) -> None:
        """Ask the provider for something harmless (an order that nobody made): whether it answers and takes the keys.

        Raises the same, and NoAnswer.
        """
        raise NotImplementedError(f"{self.name} has no provider")


@lru_cache(maxsize=1)
def registry() -> dict[str, RewardType]:
    """Every type of this folder, by name."""
    found: dict[str, RewardType] = {}
    for module in sorted(each.name for each in iter_modules(__path__)):
        made: RewardType = import_module(f"{__name__}.{module}").reward_type
        found[made.name] = made
    return found


def type_of(name: str) -> RewardType:
    """The type of this name. Raises Invalid("reward.type")."""
    try:
        return registry()[name]
    except KeyError:
        raise Invalid("reward.type", "type-known", _l("There is no such type of reward.")) from None
