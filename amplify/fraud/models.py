"""What is counted to find misuse, each case with its score and reasons, and every decision and appeal about it."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, Text80, Text200, UtcDateTime
from amplify.fraud.objections import Objection
from amplify.sharing.models import Advocate

IN_FORCE = ("held", "refused")


class RiskTouch(Base):
    """Something happened to an advocate in this hour: the worker counts it, scores them anew and deletes the row."""

    __tablename__ = "risk_touches"

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"))
    hour: Mapped[Instant]
    clicks: Mapped[int] = mapped_column(default=0)  # negative: judged again, and no person's after all
    orders: Mapped[int] = mapped_column(default=0)


class RiskHour(Base):
    """How many human clicks and orders an advocate had in one hour (UTC)."""

    __tablename__ = "risk_hours"
    __table_args__ = (sa.Index("ix_risk_hours_brand_hour", "brand_id", "hour"),)

    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"), primary_key=True, autoincrement=False)
    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    clicks: Mapped[int] = mapped_column()
    orders: Mapped[int] = mapped_column()


class RiskNorm(Base):
    """What is much at this brand, from the days before this one (UTC). Fixed when the day is first looked at."""

    __tablename__ = "risk_norms"

    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), primary_key=True, autoincrement=False)
    day: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    clicks_an_hour: Mapped[int] = mapped_column()
    orders_an_hour: Mapped[int] = mapped_column()
    clicks_a_day: Mapped[int] = mapped_column()


class RiskMailbox(Base):
    """An advocate's own mailbox as a keyed hash (tracking/buyers.py): finds the advocates among buyers."""

    __tablename__ = "risk_mailboxes"
    __table_args__ = (sa.Index("ix_risk_mailboxes_mailbox", "brand_id", "mailbox"),)

    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"), primary_key=True, autoincrement=False)
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    mailbox: Mapped[str] = mapped_column(sa.String(64))


class RiskDevice(Base):
    """A visitor key under which an advocate followed links of their own: their own browser, on that day."""

    __tablename__ = "risk_devices"

    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), primary_key=True, autoincrement=False)
    visitor: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    advocate_id: Mapped[int] = mapped_column(
        sa.ForeignKey("advocates.id"), primary_key=True, autoincrement=False, index=True
    )


class RiskCase(Base):
    """An advocate, one order, or one day of an advocate's clicks, with its risk and what follows from it.

    `reasons` are rules.Reason as JSON; their points add up to the score (100 at most). States: clear (below the brand's
    threshold), held, refused, and accepted (by a person). Who has no risk at all has no row.
    """

    __tablename__ = "risk_cases"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "subject"),
        sa.Index("ix_risk_cases_queue", "brand_id", "state", "score"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    subject: Mapped[Text80]  # "advocate:7", "order:91", "day:7:2026-10-14"
    kind: Mapped[Text40]  # advocate, order, day
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"), index=True)
    conversion_id: Mapped[int | None] = mapped_column(sa.ForeignKey("conversions.id"))
    day: Mapped[str] = mapped_column(sa.String(10), default="")
    # Which clicks of a day it is about: rushes.Rush as JSON lists.
    rushes: Mapped[list[Any]] = mapped_column(default=list)
    score: Mapped[int] = mapped_column(sa.Integer, default=0)
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    rules_version: Mapped[int] = mapped_column(sa.Integer, default=0)
    scored_at: Mapped[Instant] = mapped_column(default=clock.now)
    state: Mapped[Text40] = mapped_column(sa.String(40), default="clear")
    # The score that a person decided on; None: the brand's thresholds decide.
    decided_score: Mapped[int | None] = mapped_column(sa.Integer)

    advocate: Mapped[Advocate] = relationship()

    @property
    def date(self) -> date | None:
        """The day it is about, if it is about one."""
        return date.fromisoformat(self.day) if self.day else None

    @property
    def is_open(self) -> bool:
        """Held or refused by thresholds alone: somebody should look."""
        return self.state in IN_FORCE and self.decided_score is None


class RiskDecision(Base):
    """One decision about a case, by thresholds ("system") or by a person. Append only."""

    __tablename__ = "risk_decisions"

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    case_id: Mapped[int] = mapped_column(sa.ForeignKey("risk_cases.id"), index=True)
    at: Mapped[Instant] = mapped_column(default=clock.now)
    state: Mapped[Text40]  # what the case became; "upheld": an appeal was rejected, nothing changed
    actor: Mapped[Text200]
    reason: Mapped[str] = mapped_column(sa.Text, default="")
    score: Mapped[int] = mapped_column(sa.Integer)


class RiskAppeal(Objection, Base):
    """What a person says against a decision: one text for each decision."""

    __tablename__ = "risk_appeals"

    case_id: Mapped[int] = mapped_column(sa.ForeignKey("risk_cases.id"), index=True)
    decision_id: Mapped[int] = mapped_column(sa.ForeignKey("risk_decisions.id"), unique=True)
