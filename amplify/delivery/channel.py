"""What a delivery channel is, and the registry: each file of channels/ is one, found by itself."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import TracebackType
from typing import Any, ClassVar, Self

from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.settings import Settings
from amplify.delivery import channels
from amplify.delivery.envelope import Outgoing
from amplify.delivery.errors import DeliveryFailure
from amplify.delivery.receipts import Heard, Told


class Channel(ABC):
    """Sends messages one by one; used as a context manager, so that a batch shares one connection.

    A file of channels/ holds one subclass; `name` is what messages call it. A way to people has a `label` for staff,
    and the lowest `order` first; what stands in for e-mail (console, file) has none.
    """

    name: ClassVar[str]
    label: ClassVar[Any] = ""
    order: ClassVar[int] = 0

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def send(self, outgoing: Outgoing) -> None:
        """Returns once the other side took it. Raises TransientFailure or PermanentFailure, nothing else."""

    def send_each(self, group: Iterable[Outgoing]) -> Generator[DeliveryFailure | None, None, None]:
        """One after the other: for each what went wrong, or None once the other side took it.

        A channel may ask for the next while it waits for the answer to the last; it sends none of those that it was
        not asked for. Whoever stops listening stops it.
        """
        for outgoing in group:
            try:
                self.send(outgoing)
            except DeliveryFailure as failure:
                yield failure
            else:
                yield None

    @classmethod
    def hear(cls, settings: Settings, told: Told) -> Heard:
        """What the other side tells us later, at /in/channels/<name>. Raises Unauthorized if it is not the other side,
        NotFound where nothing is ever told."""
        raise NotFound(_l("Nothing is told here."), rule="channel-silent")

    def close(self) -> None:  # noqa: B027 - most channels hold nothing
        """Let go of what was opened."""


def registry() -> dict[str, type[Channel]]:
    """Every channel by name."""
    for found in iter_modules(channels.__path__):
        import_module(f"{channels.__name__}.{found.name}")
    return {kind.name: kind for kind in Channel.__subclasses__()}


@cache
def _known() -> dict[str, type[Channel]]:
    return registry()


def channel_of(name: str) -> type[Channel] | None:
    """The channel of this name, if there is one."""
    return _known().get(name)


def ways() -> dict[str, Any]:
    """The ways to people, by name: what staff calls each."""
    found = sorted((kind for kind in _known().values() if kind.label), key=lambda kind: kind.order)
    return {kind.name: kind.label for kind in found}


def open_channel(name: str, settings: Settings) -> Channel:
    """The channel that a message of this kind takes here: e-mail goes where the setting `mail` says.

    Raises LookupError for a channel that nobody provides.
    """
    if name == "email" and settings.mail != "smtp":
        name = settings.mail
    return _known()[name](settings)
