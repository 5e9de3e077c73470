"""Facts about messages that other floors react to."""

from dataclasses import dataclass

from amplify.delivery.models import Message


@dataclass(frozen=True)
class Unsubscribed:
    """A person asked for no more marketing mail from this brand, with the mail's own link."""

    brand_id: int
    address: str


@dataclass(frozen=True)
class WishesChanged:
    """A person said on their own page how they want to be written to; `locale` is the language they chose."""

    brand_id: int
    person: str
    locale: str


@dataclass(frozen=True)
class MessageSent:
    """A channel took the message: the mail server answered 250."""

    message: Message


@dataclass(frozen=True)
class MessageNotSent:
    """The message will never be sent: failed, suppressed or cancelled; `message.reason` says why."""

    message: Message
