"""The points ledger, the standings projected from it, and frozen rankings."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from amplify.core import clock
from amplify.core.db import Base, Instant, PrimaryKey, Text40, Text80, Text200, UtcDateTime
from amplify.fraud.objections import Objection
from amplify.sharing.models import Advocate


class PointsEntry(Base):
    """One cause of points. Append only: a reversal is an entry of its own that names what it takes back.

    Unique on brand, cause and the cause's key, so that nothing counts twice. Points are whole milli-points.
    """

    __tablename__ = "points_entries"
    __table_args__ = (
        sa.UniqueConstraint("brand_id", "cause", "cause_key"),
        sa.Index("ix_points_entries_advocate", "advocate_id", "occurred_at"),
        # Whether something was taken back is asked at every refund and for every past board; few entries take back.
        sa.Index(
            "ix_points_entries_reverses",
            "reverses_id",
            sqlite_where=sa.text("reverses_id IS NOT NULL"),
            postgresql_where=sa.text("reverses_id IS NOT NULL"),
        ),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"))
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"))
    business_line_id: Mapped[int | None] = mapped_column(sa.ForeignKey("business_lines.id"))
    location_id: Mapped[int | None] = mapped_column(sa.ForeignKey("locations.id"))
    # The link it came through.
    link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("share_links.id"))
    channel: Mapped[Text40] = mapped_column(default="")  # the link's, which never changes
    cause: Mapped[Text40]  # human_click, conversion, share_confirmed, refund, …: see wording.CAUSES
    cause_key: Mapped[Text80]  # "click:91", "conversion:7", "refund:3"
    reverses_id: Mapped[int | None] = mapped_column(sa.ForeignKey("points_entries.id"))
    milli_points: Mapped[int] = mapped_column()  # negative only for a reversal
    # Outcomes count toward rewards; acts of sharing are recognition only (product.md rule 2).
    is_reward_eligible: Mapped[bool] = mapped_column()
    occurred_at: Mapped[Instant]  # a reversal carries the time of what it reverses, so that both decay alike
    recorded_at: Mapped[Instant] = mapped_column(default=clock.now)


class Board(Base):
    """One ranking: the brand's, a campaign's, a location's, a business line's or a channel's (`ref_id` 0 where there is
    none), of all time, decayed (`days` 0), or of the last so many days, not decayed (`windows.py`)."""

    __tablename__ = "boards"
    __table_args__ = (sa.UniqueConstraint("scoring_id", "kind", "ref_id", "days"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    scoring_id: Mapped[int] = mapped_column(sa.ForeignKey("scorings.id"))
    kind: Mapped[Text80]  # brand, campaign, location, business_line, channel:<name>
    ref_id: Mapped[int] = mapped_column(default=0)
    days: Mapped[int] = mapped_column(default=0)


class Standing(Base):
    """One advocate on one board, projected from the ledger.

    `score_log` is L = log2 sum(w_i * 2^(t_i/H)), t in half-lives since the Unix epoch (Cormode et al., ICDE 2009):
    fixed between events, so the order never changes by itself. On the board of a window it is `ties.window_score`, and
    `recognition_log` plain points. Ties: by `tie` (the brand's rule), who reached it first, then the older advocate.
    """

    __tablename__ = "standings"
    __table_args__ = (
        sa.Index("ix_standings_rank", "board_id", sa.text("score_log DESC"), "tie", "reached_at", "advocate_id"),
        # Room for a new version of a row beside the old one, where PostgreSQL would have to change two pages.
        {"sqlite_with_rowid": False, "postgresql_with": {"fillfactor": 85}},
    )

    # The advocate first: a fold asks for all standings of some people, and finds those of each in one place.
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"), primary_key=True, autoincrement=False)
    board_id: Mapped[int] = mapped_column(sa.ForeignKey("boards.id"), primary_key=True, autoincrement=False)
    score_log: Mapped[float | None] = mapped_column(sa.Float(53))  # reward-eligible points; None: no points left
    recognition_log: Mapped[float | None] = mapped_column(sa.Float(53))  # all points, acts of sharing included
    milli_points: Mapped[int] = mapped_column(default=0)  # undecayed, reward-eligible
    human_clicks: Mapped[int] = mapped_column(default=0)
    conversions: Mapped[int] = mapped_column(default=0)
    shares: Mapped[int] = mapped_column(default=0)
    reached_at: Mapped[Instant]
    # Smaller stands first. Bytes, because every database compares them alike.
    tie: Mapped[bytes] = mapped_column(sa.LargeBinary, default=b"")

    advocate: Mapped[Advocate] = relationship()


class Scoring(Base):
    """Rules that a brand's standings are folded with: the brand's wishes as they were when it was ordered. Boards and
    days belong to it, so those by new rules are made beside the old ones, and nobody sees half of them (`making.py`).

    In force: `since` is set, `until` is not. Being made: neither is. What has an `until` is removed some time after it.
    """

    __tablename__ = "scorings"
    __table_args__ = (
        sa.Index(
            "uq_scorings_in_force",
            "brand_id",
            unique=True,
            sqlite_where=sa.text("since IS NOT NULL AND until IS NULL"),
            postgresql_where=sa.text("since IS NOT NULL AND until IS NULL"),
        ),
    )

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"))
    half_life_days: Mapped[float] = mapped_column(sa.Float(53))
    weights: Mapped[dict[str, Any]]
    tie_rule: Mapped[str] = mapped_column(sa.String(20))
    since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # How far the making (or the removal) has come: the step, and within it the last advocate, or the board and range of
    # scores, that is done. Whoever has points after these entries was perhaps folded without them.
    step: Mapped[str] = mapped_column(sa.String(20), default="standings")
    place: Mapped[int] = mapped_column(default=0)
    bucket: Mapped[int | None] = mapped_column()
    boards_caught_up: Mapped[int] = mapped_column(default=0)
    windows_caught_up: Mapped[int] = mapped_column(default=0)


class DayPoints(Base):
    """What one link of an advocate brought on one day (UTC), projected from the ledger: boards of windows are sums of
    these (`windows.py`, `counted.py`). `link_id` 0: an entry that came through no link."""

    __tablename__ = "day_points"
    __table_args__ = (
        sa.Index("ix_day_points_day", "scoring_id", "day", "advocate_id"),
        {"sqlite_with_rowid": False},
    )

    scoring_id: Mapped[int] = mapped_column(sa.ForeignKey("scorings.id"), primary_key=True, autoincrement=False)
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"), primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # since the Unix epoch
    link_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    milli_points: Mapped[int] = mapped_column()  # reward-eligible
    recognition: Mapped[int] = mapped_column()  # all milli-points, acts of sharing included
    human_clicks: Mapped[int] = mapped_column()
    conversions: Mapped[int] = mapped_column()
    shares: Mapped[int] = mapped_column()
    reached_at: Mapped[Instant]  # the last thing of the day that counts toward rewards; the epoch: nothing does


class Window(Base):
    """A board of the last days: all days up to (gone_day, gone_advocate), in this order, have left it."""

    __tablename__ = "windows"
    __table_args__ = (sa.Index("ix_windows_gone", "days", "gone_day"),)

    board_id: Mapped[int] = mapped_column(sa.ForeignKey("boards.id"), primary_key=True, autoincrement=False)
    scoring_id: Mapped[int] = mapped_column(sa.ForeignKey("scorings.id"), index=True)
    days: Mapped[int] = mapped_column(sa.Integer)
    gone_day: Mapped[int] = mapped_column()
    gone_advocate: Mapped[int] = mapped_column()


class ScoreCount(Base):
    """How many stand on a board in one range of scores (`histogram.py`): projected with the standings."""

    __tablename__ = "score_counts"
    # Few rows that change with every fold: with room beside them PostgreSQL need not touch their index.
    __table_args__ = ({"sqlite_with_rowid": False, "postgresql_with": {"fillfactor": 40}},)

    board_id: Mapped[int] = mapped_column(sa.ForeignKey("boards.id"), primary_key=True, autoincrement=False)
    level: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column()


class Snapshot(Base):
    """A ranking frozen when a campaign started: what the judgement was, whatever happens to the points later.

    It is written in chunks: the first `frozen` ranks after the `skipped` ones are there. Standings hold still until
    `frozen_at`. Of those ranks the first `planned` have been looked at for the push ledger, and `pushed` of them are in
    it. Each of these counts is moved in the transaction that does what it counts.
    """

    __tablename__ = "snapshots"
    __table_args__ = (sa.UniqueConstraint("campaign_id", "occurrence"),)

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    campaign_id: Mapped[int] = mapped_column(sa.ForeignKey("campaigns.id"))
    occurrence: Mapped[int] = mapped_column(sa.Integer)
    board_id: Mapped[int] = mapped_column(sa.ForeignKey("boards.id"))
    audience: Mapped[dict[str, Any]]  # the rule as it was
    # The rules as they were, and the last ledger entry the ranking knew: what came later is told apart by history.py.
    tie_rule: Mapped[str] = mapped_column(sa.String(20), default="earliest")
    half_life_days: Mapped[float] = mapped_column(sa.Float(53))
    weights: Mapped[dict[str, Any]]
    position: Mapped[int] = mapped_column()
    ranked: Mapped[int] = mapped_column()  # how many of the audience's segment stood on the board
    skipped: Mapped[int] = mapped_column(default=0)  # the ranks above these that the audience passes over
    most: Mapped[int | None] = mapped_column()  # how many the audience takes of them; None: all who fit
    taken_at: Mapped[Instant] = mapped_column(default=clock.now)
    frozen: Mapped[int] = mapped_column(default=0)
    frozen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    planned: Mapped[int] = mapped_column(default=0)
    pushed: Mapped[int] = mapped_column(default=0)


class SnapshotRow(Base):
    """One chosen advocate of a snapshot, with what the judgement rested on.

    Found by rank: rows are written in this order, so the only index grows at its end, whatever its size.
    """

    __tablename__ = "snapshot_rows"

    snapshot_id: Mapped[int] = mapped_column(sa.ForeignKey("snapshots.id"), primary_key=True, autoincrement=False)
    rank: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"))
    score_log: Mapped[float] = mapped_column(sa.Float(53))
    score: Mapped[float] = mapped_column(sa.Float(53))  # decayed points at the moment of freezing
    human_clicks: Mapped[int] = mapped_column()
    conversions: Mapped[int] = mapped_column()
    reached_at: Mapped[Instant]
    tie: Mapped[bytes] = mapped_column(sa.LargeBinary, default=b"")


class BoardLink(Base):
    """A read-only link to one board, given to people without an account. Its secret is shown once and kept hashed."""

    __tablename__ = "board_links"

    id: Mapped[PrimaryKey]
    brand_id: Mapped[int] = mapped_column(sa.ForeignKey("brands.id"), index=True)
    board_id: Mapped[int] = mapped_column(sa.ForeignKey("boards.id"))
    name: Mapped[Text200]  # the heading that readers see
    shown: Mapped[int] = mapped_column(sa.Integer)  # how many lines
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    password_hash: Mapped[str | None] = mapped_column(sa.String(255))
    made_by: Mapped[Text200]
    created_at: Mapped[Instant] = mapped_column(default=clock.now)
    expires_at: Mapped[Instant]
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    board: Mapped[Board] = relationship()

    def is_open(self, now: datetime) -> bool:
        """Whether it still shows its board."""
        return self.revoked_at is None and now < self.expires_at


class EntryAppeal(Objection, Base):
    """What a person says about one click or order of theirs, and what staff decided. Its outcome, if they agreed, is an
    entry of the ledger, and no rule writes another about the same thing (`decided.py`)."""

    __tablename__ = "entry_appeals"
    __table_args__ = (
        # One for each thing and wish: what was answered stays answered.
        sa.UniqueConstraint("subject", "wants_counted"),
        sa.Index("ix_entry_appeals_queue", "brand_id", "outcome", "id"),
    )

    advocate_id: Mapped[int] = mapped_column(sa.ForeignKey("advocates.id"), index=True)
    subject: Mapped[Text80]  # "click:91", "conversion:7"
    wants_counted: Mapped[bool] = mapped_column()  # it did not count when they said so; else: it did, and should not
    # What it was then: the raw click goes after the brand's time, and the answer may come later.
    link_id: Mapped[int] = mapped_column(sa.ForeignKey("share_links.id"))
    occurred_at: Mapped[Instant]
    verdict: Mapped[Text80]
    rule: Mapped[Text80]
    reason: Mapped[str] = mapped_column(sa.Text, default="")  # the staff's; the person reads it
    answered_by: Mapped[Text200] = mapped_column(sa.String(200), default="")

    advocate: Mapped[Advocate] = relationship()
