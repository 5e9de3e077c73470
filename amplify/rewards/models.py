"""What is given, from which codes, within which budget, to whom and why."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, UtcDateTime
from amplify.sharing.models import Advocate


class Reward(Base):
    """What one campaign gives to each chosen advocate, and the most it may cost. Money in minor units, ISO currency."""

    __tablename__ = "rewards"
    __table_args__ = (
        sa.CheckConstraint("spent_minor >= 0 AND (budget_minor IS NULL OR spent_minor <= budget_minor)", name="budget"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"), unique=True)
    type: Mapped[Text40]  # a plug-in of rewards/types: "code_pool", "generated_code"
    name: Mapped[dict[str, Any]]  # {"en": "20 % off", "es": "20 % de descuento"}
    value_minor: Mapped[int] = mapped_column(default=0)
    currency: Mapped[str] = mapped_column(sa.String(3))
    budget_minor: Mapped[int | None] = mapped_column()
    spent_minor: Mapped[int] = mapped_column(default=0)
    # What it hangs on: {"trigger": "rank"|"human_click"|"conversion", "at_least": 0}. Outcomes only
    # (campaigns/policy.py); among those the audience chose, who has not reached `at_least` of them gets none.
    rule: Mapped[dict[str, Any]] = mapped_column(default=lambda: {"trigger": "rank", "at_least": 0})
    # At most this many at one start, whatever the audience says.
    cap_pushes: Mapped[int | None] = mapped_column()
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)  # checked by the type's own schema
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[Instant] = mapped_column(default=clock.now)

    campaign: Mapped[Campaign] = relationship()


class CodeSequence(Base):
    """A pattern that a brand makes codes of, and the key (256 bits, hex) that turns push ids into such codes.

    It stays here and not in the settings of one reward: two keys for one pattern could make the same code twice.
    """

    __tablename__ = "code_sequences"
    __table_args__ = (sa.UniqueConstraint("brand_id", "pattern"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    pattern: Mapped[str] = mapped_column(sa.String(100))
    key: Mapped[str] = mapped_column(sa.String(64))


class RewardCode(Base):
    """A single-use code of an uploaded pool. A push takes it by conditional update; it never goes back."""

    __tablename__ = "reward_codes"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "code"),
        sa.Index("ix_reward_codes_free", "reward_id", "push_id", "id"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    reward_id: Mapped[int] = mapped_column(sa.ForeignKey("rewards.id"))
    code: Mapped[str] = mapped_column(sa.String(100))
    push_id: Mapped[int | None] = mapped_column(sa.ForeignKey("pushes.id"), unique=True)
    added_at: Mapped[Instant] = mapped_column(default=clock.now)


class Push(Base):
    """The ledger: who was owed what, for which reason, with which code. Exactly one per start, advocate and channel.

    Code, amount, Message-ID and provider key are bound here before anything leaves, so that every copy on the wire
    carries the same. States: earned -> sent -> redeemed | failed | cancelled | suppressed. The amounts of all but
    cancelled and suppressed ones add up to the reward's `spent_minor`. No code is given twice: one of a pool takes its
    row in `reward_codes`, a generated one is made from this row's id. A start writes in the order of ranks, so every
    index but the first grows at its end.
    """

    __tablename__ = "pushes"
    __table_args__ = (
        sa.UniqueConstraint("advocate_id", "campaign_id", "occurrence", "channel"),
        sa.Index("ix_pushes_campaign_state", "campaign_id", "state"),
        sa.Index("ix_pushes_campaign_rank", "campaign_id", "occurrence", "rank"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"))
    occurrence: Mapped[int] = mapped_column(sa.Integer)
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"))
    reward_id: Mapped[int] = mapped_column(sa.ForeignKey("rewards.id"))
    snapshot_id: Mapped[int] = mapped_column(sa.ForeignKey("snapshots.id"))
    channel: Mapped[Text40]
    locale: Mapped[str] = mapped_column(sa.String(8))
    rank: Mapped[int] = mapped_column(sa.Integer)  # why: the place in the snapshot
    code: Mapped[str | None] = mapped_column(sa.String(100))
    amount_minor: Mapped[int] = mapped_column()
    currency: Mapped[str] = mapped_column(sa.String(3))
    message_id: Mapped[str] = mapped_column(sa.String(200), unique=True)
    provider_key: Mapped[str] = mapped_column(sa.String(200))  # unique because the first constraint is
    state: Mapped[Text40] = mapped_column(sa.String(40), default="earned")
    reason: Mapped[str] = mapped_column(sa.Text, default="")
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    planned_at: Mapped[Instant] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    redeemed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    advocate: Mapped[Advocate] = relationship()
    reward: Mapped[Reward] = relationship()


class LeftOut(Base):
    """A chosen advocate who got no push at a start, and the rule why (no consent, suppressed, no code, budget)."""

    __tablename__ = "left_out"
    __table_args__ = (
        sa.UniqueConstraint("advocate_id", "campaign_id", "occurrence"),
        sa.Index("ix_left_out_campaign_rank", "campaign_id", "occurrence", "rank"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"))
    occurrence: Mapped[int] = mapped_column(sa.Integer)
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"))
    rank: Mapped[int] = mapped_column(sa.Integer)
    rule: Mapped[Text40]
    at: Mapped[Instant] = mapped_column(default=clock.now)
