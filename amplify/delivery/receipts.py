"""What the other side of a channel tells us after a message has left: it arrived or not, or its reader answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import events
from amplify.delivery.events import MessageReturned, Resubscribed, Unsubscribed
from amplify.delivery.models import Message
from amplify.delivery.services import is_suppressed, lift, suppress


@dataclass(frozen=True)
class Told:
    """A request of theirs: the address they called, as they know it, with its query; headers by lower-case name."""

    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, Sequence[str]]

    def said(self, name: str) -> str:
        """A field of the form; "" if it is not there."""
        return next(iter(self.form.get(name, ())), "")


@dataclass(frozen=True)
class Receipt:
    """What became of one message."""

    message_id: str
    state: Literal["delivered", "undelivered"]
    note: str = ""
    reference: str = ""
    is_address_dead: bool = False


@dataclass(frozen=True)
class Reply:
    """A reader's answer that means something: no more, or again."""

    address: str
    wish: Literal["stop", "start"]


# None: nothing that changes anything.
Heard = Receipt | Reply | None


def take(session: Session, channel: str, heard: Heard) -> None:
    """Keep it. Told twice, or in another order, nothing changes; what is unknown to us is passed over."""
    if isinstance(heard, Receipt):
        _take_receipt(session, channel, heard)
    elif isinstance(heard, Reply):
        for brand_id in session.scalars(sa.select(Brand.id).order_by(Brand.id)):
            _take_reply(session, brand_id, heard)


def _take_receipt(session: Session, channel: str, told: Receipt) -> None:
    ours = sa.select(Message).where(Message.message_id == told.message_id, Message.channel == channel)
    message = session.scalar(ours.with_for_update())
    if message is None or message.receipt:  # the first last word counts
        return
    if told.is_address_dead:
        suppress(session, message.brand_id, message.address, "bounced")
    message.acknowledge(told.state, told.note, told.reference)
    if told.state == "undelivered":
        came_back(session, message, told.note)


def _take_reply(session: Session, brand_id: int, told: Reply) -> None:
    """The number we write from is the installation's: a word to it is said to every brand."""
    if told.wish == "stop":
        if not is_suppressed(session, brand_id, told.address):
            suppress(session, brand_id, told.address, "unsubscribed")
        events.publish(session, Unsubscribed(brand_id, told.address))
    else:
        lift(session, brand_id, told.address)
        events.publish(session, Resubscribed(brand_id, told.address))


def came_back(session: Session, message: Message, note: str) -> None:
    """It had left and was not taken in the end: whoever ordered it may take another way."""
    if message.state != "sent":
        return
    if not message.receipt:
        message.acknowledge("undelivered", note)
    message.settle("failed", f"undelivered: {note}")
    events.publish(session, MessageReturned(message))
