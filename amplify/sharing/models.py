"""An advocate, the links they share, and what we know of each share."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, UtcDateTime
from amplify.customers.models import Customer


class Advocate(Base):
    """A customer who was shown the share page. Keeps links and points when the customer is erased."""

    __tablename__ = "advocates"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "customer_id"),
        sa.UniqueConstraint("brand_id", "pseudonym"),
        sa.Index("ix_advocates_brand", "brand_id", "id"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    customer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("customers.id"))
    # Shown on leaderboards unless the person agreed to a name, e.g. "Amber Heron 41".
    pseudonym: Mapped[str] = mapped_column(sa.String(80))
    shown_name: Mapped[str | None] = mapped_column(sa.String(80))  # set with consent only
    shown_name_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    on_board: Mapped[bool] = mapped_column(default=True)
    # Part of every signed token of this person: raising it makes all of them worthless.
    token_epoch: Mapped[int] = mapped_column(sa.Integer, default=1)
    terms_version: Mapped[str] = mapped_column(sa.String(20), default="")
    terms_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)

    customer: Mapped[Customer | None] = relationship()

    @property
    def public_name(self) -> str:
        """The agreed name of somebody who is on the board, else the pseudonym."""
        return (self.on_board and self.shown_name) or self.pseudonym


def public_name() -> sa.Label[str]:
    """Advocate.public_name for queries."""
    agreed = sa.case((Advocate.on_board, Advocate.shown_name))
    return sa.func.coalesce(agreed, Advocate.pseudonym).label("name")


class ShareLink(Base):
    """The tracked link of one advocate, one campaign and one channel: /s/<code>."""

    __tablename__ = "share_links"
    __table_args__ = (sa.UniqueConstraint("advocate_id", "campaign_id", "channel"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    code: Mapped[str] = mapped_column(sa.String(16), unique=True)
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"))
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"), index=True)
    channel: Mapped[Text40]
    target_url: Mapped[str] = mapped_column(sa.Text)  # checked against the brand's hosts when made
    locale: Mapped[str] = mapped_column(sa.String(8), default="en")
    # Where the experience was: points made through this link count on those boards.
    business_line_id: Mapped[int | None] = mapped_column(sa.ForeignKey("business_lines.id"))
    location_id: Mapped[int | None] = mapped_column(sa.ForeignKey("locations.id"))
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    advocate: Mapped[Advocate] = relationship()
    campaign: Mapped[Campaign] = relationship()


class Share(Base):
    """One time a channel was opened with a link. An intent is "opened", never called a share before it is more:

    opened -> confirmed (first human click) ; verified (an API post that was read back; later).
    """

    __tablename__ = "shares"
    __table_args__ = (sa.Index("ix_shares_brand_words", "brand_id", "words_hash"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    link_id: Mapped[int] = mapped_column(sa.ForeignKey("share_links.id"), index=True)
    response_id: Mapped[int | None] = mapped_column(sa.ForeignKey("responses.id"))
    state: Mapped[Text40] = mapped_column(sa.String(40), default="opened")
    text: Mapped[str] = mapped_column(sa.Text, default="")  # their own words; they make the card too
    disclosure: Mapped[str] = mapped_column(sa.Text, default="")  # what stood first, if rewarded
    # Finds whether another account already shared the same words (see wording.words_hash).
    words_hash: Mapped[str] = mapped_column(sa.String(64), default="")
    opened_at: Mapped[Instant] = mapped_column(default=clock.now)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The click that did, by its id: two may come at the same instant. A higher floor's row, which may be gone.
    confirmed_by: Mapped[int | None] = mapped_column()

    link: Mapped[ShareLink] = relationship()
