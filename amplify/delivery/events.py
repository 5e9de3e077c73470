"""Facts about messages that other floors react to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from amplify.delivery.models import Message


@dataclass(frozen=True)
class Unsubscribed:
    """A person asked for no more marketing messages from this brand: by the mail's own link, or by STOP."""

    brand_id: int
    address: str


@dataclass(frozen=True)
class Resubscribed:
    """A person who had said STOP from this telephone number said START."""

    brand_id: int
    address: str


@dataclass(frozen=True)
class WishesChanged:
    """A person said on their own page how they want to be written to; `locale` is the language they chose."""

    brand_id: int
    person: str
    locale: str


class Sent(NamedTuple):
    """What is known of a message that has left; `attempts` counts this one, too."""

    message_id: str
    brand_id: int
    template: str
    address: str
    attempts: int


@dataclass(frozen=True)
class MessagesSent:
    """A channel took these messages: the mail server answered 250 to each. They are noted together, at one instant."""

    messages: Sequence[Sent]
    at: datetime


@dataclass(frozen=True)
class MessageNotSent:
    """The message will never be sent: failed, suppressed or cancelled; `message.reason` says why."""

    message: Message


@dataclass(frozen=True)
class MessageReturned:
    """The message had left, and came back: the mailbox or the telephone does not take it."""

    message: Message
