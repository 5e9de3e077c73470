"""What was sent to whom, by which ways somebody can be reached, what they wish, and who must not be written to."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, Text80, UtcDateTime
from amplify.delivery.addresses import abridged

# States of a message that was ordered, and has neither left nor been called off or held back.
PENDING = ("waiting", "queued")
# In the words of the indexes: neither database looks into one for a bound value.
WAITS = sa.text("state = 'waiting'")
IS_COUNTED = sa.text("admitted_at IS NOT NULL")


class Message(Base):
    """One message to one address. `message_id` is bound before anything leaves, so every copy on the wire carries it.

    States: waiting -> queued (handed to the job engine) -> sent | suppressed | failed | cancelled; held: a pause.
    """

    __tablename__ = "messages"
    __table_args__ = (
        sa.Index("ix_messages_brand_state", "brand_id", "state"),
        # Of few rows each: a message is written four times, and its row is in them for one or two of these.
        sa.Index("ix_messages_waiting", "not_before", "id", sqlite_where=WAITS, postgresql_where=WAITS),
        sa.Index(
            "ix_messages_person_admitted_at",
            "brand_id",
            "person",
            "admitted_at",
            sqlite_where=IS_COUNTED,
            postgresql_where=IS_COUNTED,
        ),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    message_id: Mapped[str] = mapped_column(sa.String(200), unique=True)
    channel: Mapped[Text40]
    template: Mapped[Text80]
    locale: Mapped[str] = mapped_column(sa.String(8))
    # A mail address, or "endpoint:7" where the channel needs more than an address.
    address: Mapped[str] = mapped_column(sa.String(320))
    # Whose wishes, contact budget and time zone count, e.g. "customer:7"; "" for nobody's.
    person: Mapped[str] = mapped_column(sa.String(80), default="")
    timezone: Mapped[str] = mapped_column(sa.String(64), default="")
    # What the template needs, plain values only. Holds no secret that is not for this reader.
    context: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Marketing mail carries the one-click unsubscribe and obeys the suppression list; a receipt does not.
    is_marketing: Mapped[bool] = mapped_column(default=True)
    # Quiet hours: not before this instant.
    not_before: Mapped[Instant] = mapped_column(default=clock.now)
    state: Mapped[Text40] = mapped_column(sa.String(40), default="waiting")
    reason: Mapped[str] = mapped_column(sa.Text, default="")
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    # Which handing over to the job engine counts: an older job that still knows this message leaves it alone.
    release: Mapped[str] = mapped_column(sa.String(40), default="")
    # When it was counted against the person's contact budget and the channel's minute.
    admitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # What the other side told later: "delivered" (to the telephone) or "undelivered", when, in its own words; and its
    # own number for the message.
    receipt: Mapped[Text40] = mapped_column(sa.String(40), default="")
    receipt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    receipt_note: Mapped[str] = mapped_column(sa.String(200), default="")
    reference: Mapped[Text80] = mapped_column(sa.String(80), default="")
    # Whether its picture was loaded, if the brand counts that: by "machine", "proxy" or "person" (see opens.py).
    opened_by: Mapped[Text40] = mapped_column(sa.String(40), default="")
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def shown_to(self) -> str:
        """Its address on a list."""
        return abridged(self.address)

    @property
    def shown_reason(self) -> str:
        """What was said, without the address: mail servers like to repeat it."""
        return self.reason.replace(self.address, self.shown_to) if self.address else self.reason

    @property
    def is_to_be_sent(self) -> bool:
        """It was ordered, and has neither left nor been called off or held back."""
        return self.state in PENDING

    def settle(self, state: str, reason: str = "") -> None:
        """The last word on this message: sent, suppressed, failed or cancelled."""
        self.state, self.reason = state, reason
        if state == "sent":
            self.sent_at = clock.now()
            self.context = {}  # words and personal links are not kept longer than they are needed
        else:
            self.admitted_at = None  # what did not leave counts against nothing

    def put_off(self, until: datetime, reason: str) -> None:
        """Not now, and nobody's failure: whoever looks for due messages finds it then."""
        self.state, self.reason, self.not_before, self.release = "waiting", reason, until, ""

    def order_again(self, state: str) -> None:
        """One that failed is to be sent once more, as it is, with all its attempts."""
        self.state, self.reason, self.attempts, self.release = state, "", 0, ""
        self.receipt, self.receipt_at, self.receipt_note, self.reference = "", None, "", ""

    def acknowledge(self, receipt: str, note: str = "", reference: str = "") -> None:
        """The other side says what became of it after it left."""
        self.receipt, self.receipt_at = receipt, clock.now()
        self.receipt_note, self.reference = note[:200], reference[:80]


class Suppression(Base):
    """An address that must not get marketing mail: unsubscribed, bounced, complained, erased. Hashed."""

    __tablename__ = "suppressions"
    __table_args__ = (sa.UniqueConstraint("brand_id", "address_hash"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    address_hash: Mapped[str] = mapped_column(sa.String(64))
    reason: Mapped[Text40]
    at: Mapped[Instant] = mapped_column(default=clock.now)


class Endpoint(Base):
    """A way to reach somebody that is more than an address: a browser, a telephone, the brand's own program.

    How it is reached is sealed. `failures` counts those since the last success; an ended one is kept to say why.
    """

    __tablename__ = "endpoints"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "channel", "target_hash"),
        sa.Index("ix_endpoints_brand_person", "brand_id", "person"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    channel: Mapped[Text40]
    # Whose it is, as in Message.person; "" is the brand's own.
    person: Mapped[str] = mapped_column(sa.String(80), default="")
    target_hash: Mapped[str] = mapped_column(sa.String(64))
    sealed: Mapped[str] = mapped_column(sa.Text)
    shown: Mapped[str] = mapped_column(sa.String(200), default="")
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    made_at: Mapped[Instant] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_reason: Mapped[Text40] = mapped_column(sa.String(40), default="")

    @property
    def is_open(self) -> bool:
        """It may be used."""
        return self.ended_at is None and bool(self.sealed)

    @property
    def address(self) -> str:
        """What a message to it carries."""
        return f"endpoint:{self.id}"

    def end(self, reason: str) -> None:
        """Never again, until its owner gives it anew: "gone", "failing", "unsubscribed" or "removed"."""
        if self.ended_at is None:
            self.ended_at, self.ended_reason = clock.now(), reason


class Wishes(Base):
    """What a person asked for on their own page: by which ways, and how often."""

    __tablename__ = "wishes"
    __table_args__ = (sa.UniqueConstraint("brand_id", "person"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    person: Mapped[str] = mapped_column(sa.String(80))
    unwanted: Mapped[list[str]] = mapped_column(default=list)  # channels by name
    wants_fewer: Mapped[bool] = mapped_column(default=False)
    at: Mapped[Instant] = mapped_column(default=clock.now)


class Throttle(Base):
    """How much of a channel's minute is used, and how far ahead minutes are spoken for. One row per channel, locked."""

    __tablename__ = "throttles"
    __table_args__ = (sa.UniqueConstraint("brand_id", "channel"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    channel: Mapped[Text40]
    minute: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    used: Mapped[int] = mapped_column(sa.Integer, default=0)
    ahead_minute: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    ahead_used: Mapped[int] = mapped_column(sa.Integer, default=0)

    def take(self, minute: int, limit: int) -> bool:
        """One of this minute, if any is left."""
        if self.minute != minute:
            self.minute, self.used = minute, 0
        if self.used >= limit:
            return False
        self.used += 1
        return True

    def book(self, minute: int, limit: int) -> int:
        """A coming minute that is not full: so a long queue is spread out once, and not put off minute by minute."""
        if self.ahead_minute <= minute:
            self.ahead_minute, self.ahead_used = minute + 1, 0
        elif self.ahead_used >= limit:
            self.ahead_minute, self.ahead_used = self.ahead_minute + 1, 0
        self.ahead_used += 1
        return self.ahead_minute
