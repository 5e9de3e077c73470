"""What is given, from which codes, within which budget, to whom and why."""

import hashlib
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, UtcDateTime
from amplify.core.errors import Conflict
from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.states import MOVES, STATE_WORDS
from amplify.sharing.models import Advocate

# The two sides of a campaign: who leads others to the brand, and who was led there.
ADVOCATE, FRIEND = "advocate", "friend"


class Reward(Base):
    """What one campaign gives to each chosen advocate, or to each friend who came through their links (`side`), and the
    most it may cost. Money in minor units, ISO currency."""

    __tablename__ = "rewards"
    __table_args__ = (
        sa.CheckConstraint("spent_minor >= 0 AND (budget_minor IS NULL OR spent_minor <= budget_minor)", name="budget"),
        sa.UniqueConstraint("campaign_id", "side"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"))
    side: Mapped[Text40] = mapped_column(sa.String(40), default=ADVOCATE)  # or FRIEND
    type: Mapped[Text40]  # a plug-in of rewards/types: "code_pool", "generated_code"
    name: Mapped[dict[str, Any]]  # {"en": "20 % off", "es": "20 % de descuento"}
    value_minor: Mapped[int] = mapped_column(default=0)
    currency: Mapped[str] = mapped_column(sa.String(3))
    budget_minor: Mapped[int | None] = mapped_column()
    spent_minor: Mapped[int] = mapped_column(default=0)
    # What it hangs on: {"trigger": "rank"|"human_click"|"conversion"|"points", "at_least": 0}, of a milestone with
    # "when": "reached" and "times": 1. Outcomes only (campaigns/policy.py). At a start, who has not reached `at_least`
    # of them gets none; a milestone goes to whoever reaches each further `at_least`, at most `times` times.
    # A friend's: {"when": "arrival"|"purchase", "new_only": true} (friends/terms.py).
    rule: Mapped[dict[str, Any]] = mapped_column(default=lambda: {"trigger": "rank", "at_least": 0})
    # At most this many at one start, whatever the audience says.
    cap_pushes: Mapped[int | None] = mapped_column()
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)  # checked by the type's own schema
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # At most this many in all starts together, on one day (of the campaign's zone), and for one person.
    cap_total: Mapped[int | None] = mapped_column()
    cap_day: Mapped[int | None] = mapped_column()
    cap_person: Mapped[int | None] = mapped_column()
    # Why the provider gives nothing more for now (no funds, keys refused); empty: it does.
    stalled: Mapped[str] = mapped_column(sa.Text, default="")
    created_at: Mapped[Instant] = mapped_column(default=clock.now)

    campaign: Mapped[Campaign] = relationship()

    @property
    def is_milestone(self) -> bool:
        """Whether it is given as soon as somebody reaches it, and not by a start."""
        return bool(self.rule.get("when") == "reached")


class Tally(Base):
    """How many of a reward were given within one cap: "total", "day:2026-11-22", "person:17" (`caps.py`)."""

    __tablename__ = "reward_tallies"
    __table_args__ = (sa.CheckConstraint("n >= 0", name="n"),)

    reward_id: Mapped[int] = mapped_column(sa.ForeignKey("rewards.id"), primary_key=True, autoincrement=False)
    scope: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    n: Mapped[int] = mapped_column()


class ProviderAccount(Base):
    """A brand's account with a provider of rewards. The keys are sealed, and shown never again."""

    __tablename__ = "provider_accounts"
    __table_args__ = (sa.UniqueConstraint("brand_id", "provider"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    provider: Mapped[Text40]
    address: Mapped[str] = mapped_column(sa.String(200))
    sealed_keys: Mapped[str] = mapped_column(sa.Text)
    changed_at: Mapped[Instant] = mapped_column(default=clock.now)


class RewardPolicy(Base):
    """What a brand wants for all of its rewards: one worth more than `approve_above_minor` waits for two people."""

    __tablename__ = "reward_policies"

    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), primary_key=True, autoincrement=False)
    approve_above_minor: Mapped[int | None] = mapped_column()


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
    """The ledger: who was owed what, for which reason, with which code. Exactly one per start, advocate and channel; of
    a milestone, one per advocate and step.

    Code, amount, Message-ID and provider key are bound here before anything leaves, so that every copy on the wire
    carries the same. `states.py` says which states there are and how one leads to another. The amounts of all but
    cancelled and suppressed ones add up to the reward's `spent_minor`. No code is given twice: one of a pool takes its
    row in `reward_codes`, a generated one is made from this row's id. A start writes in the order of ranks, so every
    index but the first grows at its end.
    """

    __tablename__ = "pushes"
    __table_args__ = (
        sa.UniqueConstraint("advocate_id", "campaign_id", "occurrence", "step", "channel"),
        sa.Index("ix_pushes_campaign_state", "campaign_id", "state"),
        sa.Index("ix_pushes_campaign_rank", "campaign_id", "occurrence", "rank"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"))
    occurrence: Mapped[int] = mapped_column(sa.Integer)
    advocate_id: Mapped[int | None] = mapped_column(sa.ForeignKey("advocates.id"))  # none: a friend's, see Friend
    reward_id: Mapped[int] = mapped_column(sa.ForeignKey("rewards.id"))
    snapshot_id: Mapped[int | None] = mapped_column(sa.ForeignKey("snapshots.id"))  # none: no ranking chose them
    step: Mapped[int] = mapped_column(sa.Integer, default=0)  # which time they reached the milestone; 0: a ranking
    channel: Mapped[Text40]
    locale: Mapped[str] = mapped_column(sa.String(8))
    rank: Mapped[int] = mapped_column(sa.Integer)  # why: the place in the snapshot; of a milestone, in which order
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
    # Who approved it first, while it waits for a second person.
    approved_by: Mapped[str | None] = mapped_column(sa.String(200))
    # What a provider gave for it: the number of the order there, and the link or code, sealed (`claims.py`).
    ordered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    order_ref: Mapped[str | None] = mapped_column(sa.String(200))
    sealed_claim: Mapped[str | None] = mapped_column(sa.Text)

    advocate: Mapped[Advocate | None] = relationship()
    reward: Mapped[Reward] = relationship()

    def move(self, verb: str) -> None:
        """Say one verb of states.MOVES. Raises Conflict when the state does not allow it."""
        before, after, _who = MOVES[verb]
        if self.state not in before:
            message = _l("A reward that is %(state)s cannot do this.", state=STATE_WORDS[self.state])
            raise Conflict(message, field="state", rule=f"{verb}-from")
        self.state = after

    @property
    def order_key(self) -> str:
        """What a provider knows this push by, for ever: at most 100 letters and digits, which is what Tango takes.

        Made of what was bound when it was planned; another installation that shares the account makes others.
        """
        bound = f"{self.provider_key} {self.message_id}"
        return "amplify" + hashlib.sha256(bound.encode()).hexdigest()[:40]


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


class Milestone(Base):
    """A step that somebody reached in a campaign, once for ever: it waits, was given, or was left out by a rule.

    What is undone (a refund, a fraud verdict) before anything was given is deleted; what was given and then taken back
    keeps its push, and waits with it when it is reached again.
    """

    __tablename__ = "milestones"
    __table_args__ = (
        sa.UniqueConstraint("advocate_id", "campaign_id", "step"),
        sa.Index(
            "ix_milestones_waiting",
            "campaign_id",
            "id",
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        ),
        sa.Index("ix_milestones_campaign", "campaign_id", "state"),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"))
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"))
    step: Mapped[int] = mapped_column(sa.Integer)
    state: Mapped[Text40] = mapped_column(sa.String(40), default="waiting")  # waiting, given, left_out
    rule: Mapped[Text40] = mapped_column(sa.String(40), default="")  # what it waits for, or why it was left out
    push_id: Mapped[int | None] = mapped_column(sa.ForeignKey("pushes.id"), unique=True)
    reached_at: Mapped[Instant] = mapped_column(default=clock.now)


class Friend(Base):
    """Somebody who came through an advocate's link and for whom the shop asked for the friend's reward: once in a
    campaign, by the visit and, where the shop knows it, by the mailbox. Who they are is not stored.

    Has the push that was made for them, or the rule why there is none (friends/judging.py); asking again may change it.
    """

    __tablename__ = "friends"
    __table_args__ = (
        sa.UniqueConstraint("campaign_id", "visitor"),
        sa.Index(
            "uq_friends_mailbox",
            "campaign_id",
            "mailbox",
            unique=True,
            sqlite_where=sa.text("mailbox != ''"),
            postgresql_where=sa.text("mailbox != ''"),
        ),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"))
    link_id: Mapped[int] = mapped_column(sa.ForeignKey("share_links.id"), index=True)  # whose friend
    visitor: Mapped[str] = mapped_column(sa.String(80))  # the click's daily-salted hash; without one, the click's token
    mailbox: Mapped[str] = mapped_column(sa.String(64), default="")  # a keyed hash (tracking/buyers.py); "": not told
    conversion_id: Mapped[int | None] = mapped_column(sa.ForeignKey("conversions.id"), index=True)  # given for it
    push_id: Mapped[int | None] = mapped_column(sa.ForeignKey("pushes.id"), unique=True)
    rule: Mapped[Text40] = mapped_column(sa.String(40), default="")
    asked_at: Mapped[Instant] = mapped_column(default=clock.now)
