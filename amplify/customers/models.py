"""One person of one brand, and what they agreed to."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, UtcDateTime


class Customer(Base):
    """A person as a brand knows them; without any contact they are anonymous, but may still share.

    `email_normal` is the comparison form (lower case, provider rules) that finds the same person again.
    """

    __tablename__ = "customers"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "external_id"),
        sa.Index("ix_customers_brand_email", "brand_id", "email_normal"),
        sa.Index("ix_customers_brand_phone", "brand_id", "phone"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    external_id: Mapped[str | None] = mapped_column(sa.String(200))
    email: Mapped[str | None] = mapped_column(sa.String(320))
    email_normal: Mapped[str | None] = mapped_column(sa.String(320))
    phone: Mapped[str | None] = mapped_column(sa.String(20))  # E.164, such as +34600123456
    name: Mapped[str] = mapped_column(sa.String(200), default="")
    locale: Mapped[str | None] = mapped_column(sa.String(8))
    timezone: Mapped[str | None] = mapped_column(sa.String(64))
    # May we write to them? None: never said. The source says where the consent was given, for the record.
    consent: Mapped[bool | None] = mapped_column()
    consent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    consent_source: Mapped[str] = mapped_column(sa.String(200), default="")
    # The same for text messages: a consent of its own (47 CFR 64.1200(f)(9); Directive 2002/58/EC, article 13).
    sms_consent: Mapped[bool | None] = mapped_column()
    sms_consent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sms_consent_source: Mapped[str] = mapped_column(sa.String(200), default="")
    is_employee: Mapped[bool] = mapped_column(default=False)  # an insider discloses (16 CFR 465.5)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def person(self) -> str:
        """How messages, endpoints and wishes name their reader."""
        return f"customer:{self.id}"


class ConsentChange(Base):
    """One time a person's consent changed: to what, by whose word. Append only: the record that the law asks for."""

    __tablename__ = "consent_changes"

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    customer_id: Mapped[int] = mapped_column(sa.ForeignKey("customers.id"), index=True)
    # What it is for: "" to be written to at all, "sms" to get text messages.
    channel: Mapped[Text40] = mapped_column(sa.String(40), default="")
    consent: Mapped[bool]
    source: Mapped[str] = mapped_column(sa.String(200))
    at: Mapped[Instant] = mapped_column(default=clock.now)
