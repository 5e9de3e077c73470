"""What a share channel is, and the registry: each file of channels/ is one, found by itself."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import FileFinder
from importlib.util import module_from_spec
from pkgutil import iter_modules
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlencode

from amplify.core.errors import Invalid, NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.i18n import ngettext
from amplify.sharing import channels
from amplify.sharing.wording import graphemes

# Not only networks: any benefit has to be disclosed wherever it is shared.
DISCLOSURE_LAW = "https://www.law.cornell.edu/cfr/text/16/255.5"


@dataclass(frozen=True)
class Draft:
    """What is about to be shared: the person's own words, the disclosure that stands first, the link, a subject line.

    `answers` holds what the channel asked for (see Channel.question), by name.
    """

    words: str
    url: str
    disclosure: str = ""
    title: str = ""
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> str:
        """Disclosure and words, without the link."""
        return "\n\n".join(filter(None, (self.disclosure, self.words)))

    @property
    def text(self) -> str:
        """Everything in one text."""
        return "\n\n".join(filter(None, (self.body, self.url)))


class Channel(ABC):
    """A way to share. One subclass per file; templates, routes and tests loop over the registry.

    kind       "composer": a page of the network, opened beside ours; "app": a program of the device (mail, messages);
               "page": a page of ours (the link, a QR code); "sheet": the device's own share sheet, by script
    icon       a name of the sprite (tools/vendor.toml)
    policy_url where the rule is written that forbids to reward the act of sharing here, or asks to disclose a reward
    """

    name: ClassVar[str]
    label: ClassVar[Any]
    icon: ClassVar[str]
    kind: ClassVar[Literal["composer", "app", "page", "sheet"]] = "composer"
    order: ClassVar[int] = 50
    # Does the network allow a prefilled text? If not, the words stay here and the person writes there.
    may_prefill: ClassVar[bool] = True
    may_reward_act: ClassVar[bool] = False
    policy_url: ClassVar[str] = DISCLOSURE_LAW
    # In the network's own count (see `length`); None: none that a person would meet.
    max_length: ClassVar[int | None] = None
    # What else the person may say, as (name, label, placeholder).
    question: ClassVar[tuple[str, Any, str] | None] = None

    def length(self, draft: Draft) -> int:
        """How long the draft is as this network counts it."""
        return sum(1 for _ in graphemes(draft.text))

    def room(self, draft: Draft) -> int | None:
        """What is left of the network's limit; negative when it is too long."""
        return None if self.max_length is None else self.max_length - self.length(draft)

    def check(self, draft: Draft) -> None:
        """Raises Invalid("text", "max-length") when the network would not take it: nothing is cut off in silence."""
        room = self.room(draft) if self.may_prefill else None
        if room is not None and room < 0:
            over = ngettext("%(num)d character", "%(num)d characters", -room)
            text = _l(
                "That is %(over)s too long for %(channel)s. Please shorten it a little.", over=over, channel=self.label
            )
            raise Invalid("text", "max-length", text)

    @abstractmethod
    def compose(self, draft: Draft) -> str | None:
        """The address that opens the network's composer with this draft; None for kinds "page" and "sheet".

        Raises Invalid for an answer that is none.
        """


def address(base: str, **parameters: str) -> str:
    """An address with these parameters; spaces as %20, since some apps show a plus sign as it is."""
    return f"{base}?{urlencode(parameters, quote_via=quote)}"


def load(paths: Iterable[str]) -> dict[str, Channel]:
    """The channels of these folders by name, in the order in which they are offered."""
    found: list[Channel] = []
    for module in iter_modules(paths):
        assert isinstance(module.module_finder, FileFinder)  # noqa: S101 - folders hold files
        spec = module.module_finder.find_spec(f"{channels.__name__}.{module.name}")
        if spec is None or spec.loader is None:
            continue
        loaded = module_from_spec(spec)
        spec.loader.exec_module(loaded)
        found += [kind() for kind in vars(loaded).values() if _is_own(kind, loaded.__name__)]
    return {channel.name: channel for channel in sorted(found, key=lambda c: (c.order, c.name))}


def _is_own(kind: object, module: str) -> bool:
    return isinstance(kind, type) and issubclass(kind, Channel) and kind.__module__ == module


@cache
def registry() -> dict[str, Channel]:
    """Every channel of channels/, by name."""
    return load(channels.__path__)


def channel_named(name: str) -> Channel:
    """The channel of this name. Raises NotFound."""
    try:
        return registry()[name]
    except KeyError:
        raise NotFound(_l("There is no such way to share."), field="channel", rule="unknown-channel") from None
