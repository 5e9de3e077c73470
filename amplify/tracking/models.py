"""Clicks as they came, what each was, and the conversions that followed."""

import uuid
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from amplify.core import clock
from amplify.core.db import Base, BigId, Instant, PrimaryKey, Text40, Text80, Text200, UtcDateTime
from amplify.core.partitions import by_month, unique_token
from amplify.core.tokens import uuid7
from amplify.sharing.models import ShareLink

# The tracker's own windows; a reclassification keeps others beside them, under its number.
TRACKER = 0


class Click(Base):
    """One request of a tracked link, as it came; never changed. No IP address: `visitor` is a daily-salted hash.

    No foreign key to the link, which is never deleted: PostgreSQL took as long to look for it as to store the click.
    Nor has what is derived of clicks, here below; conversions, which others tell us, have them. No index by link
    either: each click would write to another page of it. A link's clicks are found by their verdicts (decision 11).
    """

    __tablename__ = "clicks"
    __table_args__ = (unique_token("token"), by_month("id"))

    id: Mapped[PrimaryKey]
    token: Mapped[uuid.UUID] = mapped_column(sa.Uuid, default=uuid7)  # travels to the landing page
    link_id: Mapped[int] = mapped_column(BigId)
    at: Mapped[Instant] = mapped_column(default=clock.now)
    method: Mapped[str] = mapped_column(sa.String(8))
    user_agent: Mapped[str] = mapped_column(sa.String(400), default="")
    referrer_host: Mapped[str] = mapped_column(sa.String(255), default="")
    language: Mapped[str] = mapped_column(sa.String(40), default="")
    country: Mapped[str] = mapped_column(sa.String(2), default="")
    visitor: Mapped[str] = mapped_column(sa.String(32), default="")
    purpose: Mapped[str] = mapped_column(sa.String(40), default="")  # Sec-Purpose / Purpose / X-Moz as sent
    gpc: Mapped[bool] = mapped_column(default=False)  # Global Privacy Control or DNT was set
    is_own: Mapped[bool] = mapped_column(default=False)  # carried the advocate's own cookie


class Seen(NamedTuple):
    """What of a click is judged and told: read by the hundred, without the weight of rows that may change."""

    id: int
    link_id: int
    at: datetime
    method: str
    user_agent: str
    visitor: str
    purpose: str
    is_own: bool


SEEN: tuple[Any, ...] = tuple(getattr(Click, name) for name in Seen._fields)
# A click, by whichever of the two.
ClickFacts = Click | Seen


class ClickVerdict(Base):
    """What a click was, by which rule: see verdicts.VERDICTS. Can be derived again."""

    __tablename__ = "click_verdicts"
    __table_args__ = (sa.Index("ix_click_verdicts_link", "link_id", "click_id"), by_month("click_id"))

    click_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    link_id: Mapped[int] = mapped_column(BigId)  # the click's, by which its clicks are found
    verdict: Mapped[Text40]
    rule: Mapped[Text80]
    rules_version: Mapped[int] = mapped_column(sa.Integer)
    judged_at: Mapped[Instant] = mapped_column(default=clock.now)


class ClickCount(Base):
    """How many clicks of a link in one hour got one verdict by one rule: see counting.py.

    Moved in the transaction that judges. `n` stays when raw clicks are removed; `removed` says how many of them were.
    So `n - removed` is, at any moment, the number of stored clicks with this verdict.
    """

    __tablename__ = "click_counts"
    __table_args__ = (sa.Index("ix_click_counts_brand", "brand_id", "hour"), {"sqlite_with_rowid": False})

    link_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    hour: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)  # since the Unix epoch, UTC
    verdict: Mapped[Text40] = mapped_column(primary_key=True)
    rule: Mapped[Text80] = mapped_column(primary_key=True)
    brand_id: Mapped[int] = mapped_column(BigId)
    n: Mapped[int] = mapped_column(sa.Integer)
    removed: Mapped[int] = mapped_column(sa.Integer, default=0)


class FirstClick(Base):
    """The human click that opened the current 24 hours of one visitor on one link: what comes inside is a duplicate.

    Only the tracker writes here, and only for clicks that count, so the hot path pays nothing for it. Rows older than
    the window are deleted; the table can be made again from clicks and verdicts. `run` is 0; a reclassification keeps
    its windows under its own number until it has caught up.
    """

    __tablename__ = "first_clicks"

    run: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # The visitor first: the tracker asks for all windows of the visitors of a batch at once.
    visitor: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    link_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    at: Mapped[Instant] = mapped_column(index=True)


class RecentClick(Base):
    """A click of the last minutes, by visitor: bursts are seen by these, and they are what a burst takes back.

    Written and deleted by the tracker alone (see recent.py). The click's row may be removed first: nobody reads this
    one without it. `run` as above.
    """

    __tablename__ = "recent_clicks"
    __table_args__ = ({"sqlite_with_rowid": False},)

    run: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    click_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    visitor: Mapped[str] = mapped_column(sa.String(32), index=True)
    link_id: Mapped[int] = mapped_column(BigId)
    at: Mapped[Instant]
    is_head: Mapped[bool] = mapped_column()


class AgentPattern(Base):
    """A part of user agents and what it says of them: the operator's own list, for the whole installation."""

    __tablename__ = "agent_patterns"

    id: Mapped[PrimaryKey]
    pattern: Mapped[str] = mapped_column(sa.String(100), unique=True)  # in lower case
    kind: Mapped[Text40]  # human, preview, bot or scanner
    note: Mapped[Text200]
    created_by: Mapped[Text200]
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    is_on: Mapped[bool] = mapped_column(default=True)


class Reclassification(Base):
    """Clicks judged again under the rules of now, batch by batch; the row is its cursor. Unfinished: it goes on."""

    __tablename__ = "reclassifications"

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int | None] = mapped_column(sa.ForeignKey("brands.id"))  # None: every brand
    since: Mapped[Instant]
    rules_version: Mapped[int] = mapped_column(sa.Integer)
    start: Mapped[int] = mapped_column()  # the last click that is too old
    position: Mapped[int] = mapped_column()
    total: Mapped[int] = mapped_column()  # clicks to judge when it began
    judged: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)  # other verdict than before; of these:
    gained: Mapped[int] = mapped_column(default=0)  # a person's first after all
    lost: Mapped[int] = mapped_column(default=0)  # no person's first after all
    corrected: Mapped[int] = mapped_column(default=0)  # of these two, how many were told to whoever gave points
    begun_at: Mapped[Instant] = mapped_column(default=clock.now)
    judged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # caught up with the tracker; corrections follow
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Correction(Base):
    """A click that a reclassification made human, or not human any more, and that nobody was told of yet.

    Told by advocate: who has something taken back is folded again from all of their ledger, and that once, not for
    every click of theirs that turns up among others'.
    """

    __tablename__ = "corrections"

    run: Mapped[int] = mapped_column(sa.ForeignKey("reclassifications.id"), primary_key=True, autoincrement=False)
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"), primary_key=True, autoincrement=False)
    click_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    is_gained: Mapped[bool] = mapped_column()


class ClickRemoval(Base):
    """How far a brand's raw clicks are removed: all before `before`, a UTC midnight, once `is_done`."""

    __tablename__ = "click_removals"

    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), primary_key=True, autoincrement=False)
    before: Mapped[Instant]
    position: Mapped[int] = mapped_column(default=0)  # the last click that was looked at
    is_done: Mapped[bool] = mapped_column(default=False)


class VisitorSalt(Base):
    """The salt of one UTC day. Deleted after the day: yesterday's visitor hashes can no longer be computed."""

    __tablename__ = "visitor_salts"

    day: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    salt: Mapped[str] = mapped_column(sa.String(64))


class Cursor(Base):
    """How far a reader of an append-only table has come. Moves in one transaction with what it produced."""

    __tablename__ = "cursors"

    name: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    position: Mapped[int] = mapped_column(default=0)
    moved_at: Mapped[Instant] = mapped_column(default=clock.now)

    def move(self, position: int) -> None:
        """Everything up to this id is done."""
        self.position = position
        self.moved_at = clock.now()


class Conversion(Base):
    """An outcome a shop or backend told us, signed: one row per order of a brand. Amounts in minor units."""

    __tablename__ = "conversions"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "order_id"),
        sa.Index(
            "ix_conversions_pending",
            "id",
            sqlite_where=sa.text("attribution = 'pending'"),
            postgresql_where=sa.text("attribution = 'pending'"),
        ),
        sa.Index(
            "ix_conversions_buyer",
            "brand_id",
            "buyer",
            sqlite_where=sa.text("buyer != ''"),
            postgresql_where=sa.text("buyer != ''"),
        ),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    order_id: Mapped[str] = mapped_column(sa.String(200))
    body_hash: Mapped[str] = mapped_column(sa.String(64))
    amount_minor: Mapped[int] = mapped_column()
    currency: Mapped[str] = mapped_column(sa.String(3))
    occurred_at: Mapped[Instant]
    received_at: Mapped[Instant] = mapped_column(default=clock.now)
    # The click the shop named, if it is one of the brand's; none once its raw row is removed. Its link stays.
    click_id: Mapped[int | None] = mapped_column(sa.ForeignKey("clicks.id"), index=True)
    named_link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("share_links.id"), index=True)
    # Attribution: that click's link if the click was a person's and inside the window; else none, and the rule why.
    link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("share_links.id"), index=True)
    attribution: Mapped[Text80]  # see conversions.attribute
    window_days: Mapped[int] = mapped_column(sa.Integer)  # the attribution window in force when it came in
    # The buyer's mailbox as a keyed hash (buyers.key_of), "" if the shop did not say; the address itself is not kept.
    buyer: Mapped[str] = mapped_column(sa.String(64), default="")
    is_buyer_disposable: Mapped[bool] = mapped_column(default=False)
    refunded_minor: Mapped[int] = mapped_column(default=0)
    refunded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    link: Mapped[ShareLink | None] = relationship(foreign_keys=[link_id])


class OrderClaim(Base):
    """An order that was told again with another click: what was refused then, and whose link it would have paid."""

    __tablename__ = "order_claims"

    conversion_id: Mapped[int] = mapped_column(sa.ForeignKey("conversions.id"), primary_key=True, autoincrement=False)
    link_id: Mapped[int] = mapped_column(
        sa.ForeignKey("share_links.id"), primary_key=True, autoincrement=False, index=True
    )
    at: Mapped[Instant] = mapped_column(default=clock.now)


class Refund(Base):
    """A refund or chargeback of a conversion, by the shop's own id. A full one takes the points back."""

    __tablename__ = "refunds"
    __table_args__ = (sa.UniqueConstraint("brand_id", "refund_id"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    refund_id: Mapped[str] = mapped_column(sa.String(200))
    conversion_id: Mapped[int] = mapped_column(sa.ForeignKey("conversions.id"), index=True)
    amount_minor: Mapped[int] = mapped_column()
    body_hash: Mapped[str] = mapped_column(sa.String(64))
    occurred_at: Mapped[Instant]
    received_at: Mapped[Instant] = mapped_column(default=clock.now)
