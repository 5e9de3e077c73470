"""A campaign and its lifecycle. The row is the memory; the scheduler is only the clock."""

import secrets
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, Text200, UtcDateTime
from amplify.core.errors import Conflict
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer

STATES = ("draft", "scheduled", "live", "paused", "ended", "stopped")
# As they stand in a sentence ("A campaign that is paused cannot do this.").
STATE_WORDS = {
    "draft": _l("a draft"),
    "scheduled": _l("scheduled"),
    "live": _l("live"),
    "paused": _l("paused"),
    "ended": _l("ended"),
    "stopped": _l("stopped"),
}

# Verb -> (states it may be said in, state it leads to)
MOVES: dict[str, tuple[tuple[str, ...], str]] = {
    "schedule": (("draft", "scheduled"), "scheduled"),
    "unschedule": (("scheduled",), "draft"),
    "start": (("scheduled",), "live"),
    "pause": (("live",), "paused"),
    "resume": (("paused",), "live"),
    "end": (("live", "paused"), "ended"),
    "stop": (("scheduled", "live", "paused"), "stopped"),
}


class Campaign(Base):
    """What a brand asks people to share, and whom its start rewards.

    State     advocates              friends' links        pending rewards
    draft     not asked with it      -                     none
    scheduled not asked with it      -                     none; the dry run shows them
    live      asked, can share       lead to the landing   delivered
    paused    cannot share anew      still lead there      wait
    ended     cannot share anew      still lead there      delivered (what was promised stays promised)
    stopped   cannot share anew      410, a kind page      cancelled if not sent yet
    """

    __tablename__ = "campaigns"
    __table_args__ = (
        sa.Index("ix_campaigns_state_starts", "state", "starts_at"),
        sa.Index("ix_campaigns_state_ends", "state", "ends_at"),
        sa.Index("ix_campaigns_state_next", "state", "next_at"),
        # A brand has one always-on campaign, however many ask for it at once.
        sa.Index(
            "uq_campaigns_always_on",
            "brand_id",
            unique=True,
            sqlite_where=sa.text("is_always_on = 1"),
            postgresql_where=sa.text("is_always_on"),
        ),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    name: Mapped[Text200]
    state: Mapped[Text40] = mapped_column(sa.String(40), default="draft")
    # The brand's always-on campaign carries shares while no launched one is live; it never rewards by itself.
    is_always_on: Mapped[bool] = mapped_column(default=False)
    # Any benefit, also the chance of one, must be disclosed (16 CFR 255.5): set when a reward is attached.
    is_rewarded: Mapped[bool] = mapped_column(default=False)

    # The wall times the marketer typed and their zone stay; the instants are derived (gap: next valid, overlap: first).
    starts_local: Mapped[str] = mapped_column(sa.String(16), default="")  # "2026-11-22T09:00"
    ends_local: Mapped[str] = mapped_column(sa.String(16), default="")
    timezone: Mapped[str] = mapped_column(sa.String(64), default="UTC")
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # {} or e.g. {"kind": "monthly_weekday", "weekdays": [0], "nth": 1, "count": 6}; see recurrence.py
    repeats: Mapped[dict[str, Any]] = mapped_column(default=dict)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the start after the last one, while it repeats
    occurrence: Mapped[int] = mapped_column(sa.Integer, default=0)  # counts the starts
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the first time
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    landing_url: Mapped[str] = mapped_column(sa.Text)
    # What schemas.AudienceIn.stored() says: {"kind": "top_n", "value": 50, "location_id": null, "holdout_percent": 10}
    audience: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # {"en": {"headline": "", "share_text": "", "disclosure": "", "reward_subject": "", "reward_text": ""}, "es": {...}}
    texts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Decides with an advocate's id whether they are kept back for measuring: by chance, and the same at every start.
    holdout_key: Mapped[str] = mapped_column(sa.String(32), default=lambda: secrets.token_hex(16))
    version: Mapped[int] = mapped_column(sa.Integer, default=1)
    created_by: Mapped[Text200] = mapped_column(sa.String(200), default="")
    created_at: Mapped[Instant] = mapped_column(default=clock.now)

    # Two people editing one campaign: the second one is told, nothing is overwritten.
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012

    def move(self, verb: str) -> None:
        """Say one verb of MOVES. Raises Conflict when the state does not allow it."""
        allowed, target = MOVES[verb]
        if self.state not in allowed:
            raise Conflict(
                _l("A campaign that is %(state)s cannot do this.", state=STATE_WORDS[self.state]),
                field="state",
                rule=f"{verb}-from",
            )
        self.state = target

    @property
    def takes_shares(self) -> bool:
        """New shares are made only while it is live."""
        return self.state == "live"

    @property
    def links_lead_on(self) -> bool:
        """Friends still get to the landing page in every state but stopped."""
        return self.state != "stopped"

    def text(self, locale: str, name: str, default_locale: str = "en") -> str:
        """A text in the reader's language, else in the brand's."""
        return text_in(self.texts, locale, name, default_locale)


class Occurrence(Base):
    """One time a campaign was due: it started then, or was skipped and why. Each time is decided once.

    The words and the address that this start promised stand here: changing the campaign changes no promise.
    """

    __tablename__ = "occurrences"
    __table_args__ = (sa.UniqueConstraint("campaign_id", "due_at"), sa.UniqueConstraint("campaign_id", "number"))

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"))
    number: Mapped[int | None] = mapped_column(sa.Integer)  # `campaign.occurrence` of that start; none: skipped
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    at: Mapped[Instant]  # when it was decided: later than due if nobody was there
    reason: Mapped[Text40] = mapped_column(sa.String(40), default="")  # of a skipped one: a name of SKIPPED
    version: Mapped[int] = mapped_column(sa.Integer)  # the campaign's, by this start
    landing_url: Mapped[str] = mapped_column(sa.Text, default="")
    texts: Mapped[dict[str, Any]] = mapped_column(default=dict)

    def text(self, locale: str, name: str, default_locale: str = "en") -> str:
        """A text as this start promised it, in the reader's language, else in the brand's."""
        return text_in(self.texts, locale, name, default_locale)


class Edit(Base):
    """One change of a campaign and of what it gives, with both versions of every field that differs. Append only.

    `changes`: {"reward.budget_minor": [5000, 8000]}, what was and what is since; null: nothing. `revision`: the
    campaign's version since then; a start says which one it went by. Staff stand here as "user:7", never by name.
    """

    __tablename__ = "campaign_edits"

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"), index=True)
    at: Mapped[Instant] = mapped_column(default=clock.now)
    actor: Mapped[Text200]
    revision: Mapped[int] = mapped_column(sa.Integer)
    changes: Mapped[dict[str, Any]]


# Why a start did not happen, as a sentence for staff. The names are stored.
SKIPPED = {
    "paused": _l("The campaign was paused then."),
    "missed": _l("Nobody was there then, and a later start was due already."),
}


def text_in(texts: dict[str, Any], locale: str, name: str, default_locale: str) -> str:
    """A text in one language, else in the other, else nothing."""
    return str(texts.get(locale, {}).get(name) or texts.get(default_locale, {}).get(name) or "")


class ExclusionList(Base):
    """People of a brand whom campaigns may leave out, under a name: staff, partners, winners of a contest."""

    __tablename__ = "exclusion_lists"
    __table_args__ = (sa.UniqueConstraint("brand_id", "name"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    name: Mapped[Text200]
    created_by: Mapped[Text200] = mapped_column(sa.String(200), default="")
    created_at: Mapped[Instant] = mapped_column(default=clock.now)


class Excluded(Base):
    """A customer on an exclusion list."""

    __tablename__ = "excluded"
    __table_args__ = (sa.UniqueConstraint("list_id", "customer_id"),)

    id: Mapped[PrimaryKey]
    list_id: Mapped[int] = mapped_column(sa.ForeignKey("exclusion_lists.id"))
    customer_id: Mapped[int] = mapped_column(sa.ForeignKey(Customer.id), index=True)
    at: Mapped[Instant] = mapped_column(default=clock.now)
