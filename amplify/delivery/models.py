"""What was sent to whom, and who must not be written to."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, Text80, UtcDateTime


class Message(Base):
    """One message to one address. `message_id` is bound before anything leaves, so every copy on the wire carries it.

    States: waiting -> queued (handed to the job engine) -> sent | suppressed | failed | cancelled; held: a pause.
    """

    __tablename__ = "messages"
    __table_args__ = (
        sa.Index("ix_messages_brand_state", "brand_id", "state"),
        sa.Index("ix_messages_state_not_before", "state", "not_before"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    message_id: Mapped[str] = mapped_column(sa.String(200), unique=True)
    channel: Mapped[Text40]
    template: Mapped[Text80]
    locale: Mapped[str] = mapped_column(sa.String(8))
    address: Mapped[str] = mapped_column(sa.String(320))
    # What the template needs, plain values only. Holds no secret that is not for this reader.
    context: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Marketing mail carries the one-click unsubscribe and obeys the suppression list; a receipt does not.
    is_marketing: Mapped[bool] = mapped_column(default=True)
    # Quiet hours: not before this instant.
    not_before: Mapped[Instant] = mapped_column(default=clock.now)
    state: Mapped[Text40] = mapped_column(sa.String(40), default="waiting")
    reason: Mapped[str] = mapped_column(sa.Text, default="")
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def is_to_be_sent(self) -> bool:
        """It was ordered, and has neither left nor been called off or held back."""
        return self.state in ("waiting", "queued")

    def settle(self, state: str, reason: str = "") -> None:
        """The last word on this message: sent, suppressed, failed or cancelled."""
        self.state, self.reason = state, reason
        if state == "sent":
            self.sent_at = clock.now()
            self.context = {}  # words and personal links are not kept longer than they are needed

    def order_again(self, state: str) -> None:
        """One that failed is to be sent once more, as it is, with all its attempts."""
        self.state, self.reason, self.attempts = state, "", 0


class Suppression(Base):
    """An address that must not get marketing mail: unsubscribed, bounced, complained, erased. Hashed."""

    __tablename__ = "suppressions"
    __table_args__ = (sa.UniqueConstraint("brand_id", "address_hash"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    address_hash: Mapped[str] = mapped_column(sa.String(64))
    reason: Mapped[Text40]
    at: Mapped[Instant] = mapped_column(default=clock.now)
