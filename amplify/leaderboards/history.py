"""A frozen ranking beside what it would be at the same instant with the ledger of today: who moved, and why.

The ranking of then stands in the snapshot. The one of today is summed in one statement from what counts now and had
happened by then: so an entry that came later counts if it is about earlier, and one that was taken back since does not.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.bulk import is_among
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.leaderboards.corrections import SET_ASIDE, TAKEN_BACK
from amplify.leaderboards.decay import DAY_SECONDS
from amplify.leaderboards.decided import COUNTS_AS, GIVEN_BACK, RESTORED
from amplify.leaderboards.models import Board, PointsEntry, Snapshot, SnapshotRow, Standing
from amplify.leaderboards.scoring import Rules, in_force
from amplify.leaderboards.segments import in_segment
from amplify.leaderboards.snapshots import bounds_of
from amplify.leaderboards.ties import Ties
from amplify.sharing.models import Advocate, public_name

# What a page can wait for: entries of the brand.
MOST = 3_000_000
# Sums of the same entries in another order differ in the last digits; equal is what agrees in these (log2 of points).
DIGITS = 10
# Which change of the ledger an entry is.
BY_CAUSE = {
    "refund": "refund", SET_ASIDE: "fraud", TAKEN_BACK: "reclassified", GIVEN_BACK: "appeal",
    **dict.fromkeys(COUNTS_AS, "appeal"),
}  # fmt: skip


class Change(NamedTuple):
    """One advocate's rank and score then and now; None: not among those chosen then, or without points now."""

    advocate_id: int
    name: str
    before: int | None
    after: int | None
    score_before: float | None
    score_after: float | None
    # Of their own: refund, fraud, reclassified, appeal, late, rules, erased; "others" if there is none.
    causes: tuple[str, ...]

    @property
    def move(self) -> int | None:
        """So many places up."""
        return None if self.before is None or self.after is None else self.before - self.after


class Difference(NamedTuple):
    """Who stands elsewhere, those with a cause of their own first; of `chosen` who were chosen then."""

    changes: list[Change]
    chosen: int
    has_other_rules: bool


class Now(NamedTuple):
    """An advocate's place at the instant by the ledger of today."""

    rank: int
    score: float


class seconds(sa.sql.functions.GenericFunction[float]):
    """An instant in SQL as seconds since the Unix epoch, to the microsecond."""

    type = sa.Double()
    inherit_cache = True


@compiles(seconds, "postgresql")
def _seconds(element: seconds, compiler: Any, **how: Any) -> str:
    return f"CAST(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **how)}) AS DOUBLE PRECISION)"


@compiles(seconds, "sqlite")
def _seconds_of_text(element: seconds, compiler: Any, **how: Any) -> str:
    # Its own day numbers would round to a twentieth of a millisecond.
    text = compiler.process(element.clauses, **how)
    return f"(CAST(strftime('%s', {text}) AS INTEGER) + CAST(substr({text}, 20) AS REAL))"


def difference(session: Session, snapshot: Snapshot) -> Difference:
    """Everybody who was chosen then, or would be, and stands elsewhere; also who was erased since.

    Raises Invalid("snapshot", "too-large").
    """
    _check_size(session, snapshot.brand_id)
    rules = in_force(session, snapshot.brand_id)
    then = Rules(snapshot.half_life_days, snapshot.weights, snapshot.tie_rule)
    frozen = {row.advocate_id: row for row in session.execute(_frozen(snapshot))}
    now, chosen_now = _ranked_now(session, snapshot, rules)
    causes = _causes(session, snapshot)
    changes = []
    for who in frozen.keys() | chosen_now:
        old, new = frozen.get(who), now.get(who)
        own = [*causes.get(who, ()), *(["erased"] if old and old.is_erased else [])]
        if _stands_elsewhere(old, new) or "erased" in own:
            own += ["rules"] if rules != then else []
            changes.append((who, old, new, tuple(own) or ("others",)))
    names = _names(session, [who for who, *_rest in changes])
    made = [_change(who, names[who], old, new, own) for who, old, new, own in changes]
    return Difference(sorted(made, key=_order), len(frozen), rules != then)


def snapshots(session: Session, brand_id: int, limit: int = 500) -> list[Snapshot]:
    """A brand's frozen rankings, the latest first."""
    mine = sa.select(Snapshot).where(Snapshot.brand_id == brand_id)
    return list(session.scalars(mine.order_by(Snapshot.id.desc()).limit(limit)))


def _check_size(session: Session, brand_id: int) -> None:
    beyond = sa.select(PointsEntry.id).where(PointsEntry.brand_id == brand_id).limit(1).offset(MOST)
    if session.scalar(beyond) is not None:
        raise Invalid("snapshot", "too-large", _l("There are too many entries to compare this on a page."))


def _frozen(snapshot: Snapshot) -> sa.Select[Any]:
    was_erased = sa.func.coalesce(Customer.erased_at > snapshot.taken_at, sa.false()).label("is_erased")
    columns: tuple[Any, ...] = (SnapshotRow.advocate_id, SnapshotRow.rank, SnapshotRow.score, was_erased)
    joined = sa.select(*columns).join(Advocate, Advocate.id == SnapshotRow.advocate_id)
    return joined.outerjoin(Customer, Customer.id == Advocate.customer_id).where(SnapshotRow.snapshot_id == snapshot.id)


def _ranked_now(session: Session, snapshot: Snapshot, rules: Rules) -> tuple[dict[int, Now], set[int]]:
    """Everybody's place, and who of them would be chosen."""
    found = session.execute(_sums(session, snapshot, rules)).all()
    ties = Ties(session, rules.tie_rule, [row.advocate_id for row in found])

    def order(row: Any) -> tuple[Any, ...]:
        tie = ties.of(row.advocate_id, row.conversions)
        return -round(math.log2(row.score), DIGITS), tie, row.reached_at, row.advocate_id

    now = {row.advocate_id: Now(rank, row.score) for rank, row in enumerate(sorted(found, key=order), 1)}
    skip, most = bounds_of(snapshot.audience, len(now))
    least = float(snapshot.audience.get("value") or 0) if snapshot.audience.get("kind") == "min_score" else 0.0
    last = len(now) if most is None else skip + most
    return now, {who for who, place in now.items() if skip < place.rank <= last and place.score >= least}


def _sums(session: Session, snapshot: Snapshot, rules: Rules) -> sa.Select[Any]:
    """Score, conversions and when it was reached, of everybody who had points on this board at that instant."""
    brand, entry = session.get_one(Brand, snapshot.brand_id), PointsEntry
    age = seconds(entry.occurred_at) - snapshot.taken_at.timestamp()
    worth = rules.worth_of(entry) / 1000.0 * sa.func.pow(2.0, age / (rules.half_life_days * DAY_SECONDS))
    bought = sa.case((entry.cause.in_(("conversion", RESTORED["conversion"])), 1), else_=0)
    # An entry and what took it back lie on the same board, at the same time: one pass, and no join that could go wrong.
    alone = (
        sa.select(
            sa.func.max(entry.advocate_id).label("advocate_id"),
            sa.func.max(worth).label("worth"),
            sa.func.max(bought).label("bought"),
            sa.func.max(entry.occurred_at).label("at"),
        )
        .where(*_on_board(session, snapshot))
        .group_by(sa.func.coalesce(entry.reverses_id, entry.id))
        .having(sa.func.count(entry.reverses_id) == 0)
        .subquery()
    )
    who, score = alone.c.advocate_id, sa.func.sum(alone.c.worth)
    columns: tuple[Any, ...] = (who, score.label("score"), sa.func.sum(alone.c.bought).label("conversions"))
    living = sa.select(*columns, sa.func.max(alone.c["at"]).label("reached_at")).group_by(who).having(score > 0)
    segment = in_segment(brand, snapshot.audience)
    if segment:
        member = sa.select(Standing.advocate_id).where(Standing.board_id == snapshot.board_id, *segment)
        living = living.where(who.in_(member))
    return living


def _on_board(session: Session, snapshot: Snapshot) -> list[sa.ColumnElement[bool]]:
    """Entries that count toward rewards on the snapshot's board, about what had happened by then."""
    board = session.get_one(Board, snapshot.board_id)
    columns: dict[str, Any] = {
        "campaign": PointsEntry.campaign_id,
        "location": PointsEntry.location_id,
        "business_line": PointsEntry.business_line_id,
    }
    mine: list[Any] = [PointsEntry.brand_id == snapshot.brand_id, PointsEntry.is_reward_eligible]
    mine += [columns[board.kind] == board.ref_id] if board.kind in columns else []
    return [*mine, PointsEntry.occurred_at <= snapshot.taken_at]


def _causes(session: Session, snapshot: Snapshot) -> Mapping[int, list[str]]:
    """Advocate -> what changed in the ledger about what had happened by then."""
    later = PointsEntry.id > snapshot.position, *_on_board(session, snapshot)
    corrects = PointsEntry.reverses_id <= snapshot.position
    adds = PointsEntry.reverses_id.is_(None)
    columns = PointsEntry.advocate_id, PointsEntry.cause, PointsEntry.cause_key
    found = session.execute(sa.select(*columns).where(*later, sa.or_(corrects, adds)).order_by(PointsEntry.id)).all()
    before = {key: _key_before(key) for _who, cause, key in found if cause not in BY_CAUSE}
    back = _given_back(session, snapshot.brand_id, [key for key in before.values() if key])
    causes: dict[int, list[str]] = defaultdict(list)
    for who, cause, key in found:
        name = BY_CAUSE.get(cause) or back.get(before[key], "late")
        if name not in causes[who]:
            causes[who].append(name)
    return causes


def _key_before(key: str) -> str:
    """The key of the time before: what it earned then was taken back, else it would not have earned again."""
    kind, number, *times = key.split(":")
    if not times:
        return ""
    return f"{kind}:{number}" if times == ["2"] else f"{kind}:{number}:{int(times[0]) - 1}"


def _given_back(session: Session, brand_id: int, keys: list[str]) -> dict[str, str]:
    """Key -> why what it earned had been taken back."""
    taken = PointsEntry.brand_id == brand_id, PointsEntry.cause.in_((SET_ASIDE, TAKEN_BACK))
    mine = is_among(session, PointsEntry.cause_key, keys)
    found = session.execute(sa.select(PointsEntry.cause_key, PointsEntry.cause).where(*taken, mine))
    return {key: BY_CAUSE[cause] for key, cause in found}


def _stands_elsewhere(old: Any, new: Now | None) -> bool:
    if old is None or new is None:
        return True
    return bool(old.rank != new.rank or abs(old.score - new.score) >= 0.005)


def _names(session: Session, who: list[int]) -> dict[int, str]:
    found = session.execute(sa.select(Advocate.id, public_name()).where(is_among(session, Advocate.id, who)))
    return {row.id: row.name for row in found}


def _change(who: int, name: str, old: Any, new: Now | None, causes: tuple[str, ...]) -> Change:
    before = (old.rank, float(old.score)) if old else (None, None)
    after = (new.rank, new.score) if new else (None, None)
    return Change(who, name, before[0], after[0], before[1], after[1], causes)


def _order(one: Change) -> tuple[Any, ...]:
    furthest = -abs(one.move) if one.move is not None else -math.inf
    return one.causes == ("others",), furthest, one.before or math.inf, one.advocate_id
