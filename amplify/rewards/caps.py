"""Caps besides the budget: all starts together, one day, one person. Counted in the transaction that makes the pushes.

What was counted stays counted: a push that is called off later frees no place, so a cap can never be passed by giving,
taking back and giving again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from amplify.core.db import is_sqlite
from amplify.rewards.models import Reward, Tally

TOTAL = "total"
UNLIMITED = 2**62
AT_ONCE = 5_000


def room(session: Session, reward: Reward, now: datetime) -> int | None:
    """How many more the caps of all starts and of this day allow; None: as many as you like."""
    caps = {TOTAL: reward.cap_total, day_of(reward, now): reward.cap_day}
    given = {row.scope: row.n for row in session.execute(_tallies(reward).where(Tally.scope.in_(caps)))}
    left = [max(0, most - given.get(scope, 0)) for scope, most in caps.items() if most is not None]
    return lower(*left)


def left_of(session: Session, reward: Reward, cap_total: int) -> int:
    """How many more the cap of all starts allows, whatever the day's."""
    given = session.scalar(sa.select(Tally.n).where(Tally.reward_id == reward.id, Tally.scope == TOTAL))
    return max(0, cap_total - (given or 0))


def lower(*limits: int | None) -> int | None:
    """The lowest of these limits; None is none."""
    return min((one for one in limits if one is not None), default=None)


def is_full(reward: Reward, advocate_id: Any) -> sa.ColumnElement[bool]:
    """Whether a person has had as many of this reward as one person may; only for one that says how many."""
    scope = sa.literal(person_of("")) + sa.cast(advocate_id, sa.String)
    return sa.exists().where(Tally.reward_id == reward.id, Tally.scope == scope, Tally.n >= reward.cap_person)


def take(session: Session, reward: Reward, advocate_ids: Sequence[int], now: datetime) -> bool:
    """Count one for each of these people, if every cap still holds them; the database decides, whoever counts
    meanwhile. False: some cap does not, and the caller undoes its transaction."""
    if not _add(session, reward, [TOTAL], len(advocate_ids), reward.cap_total):
        return False
    if not _add(session, reward, [day_of(reward, now)], len(advocate_ids), reward.cap_day):
        return False
    people = [person_of(one) for one in advocate_ids] if reward.cap_person is not None else []
    some = (people[start : start + AT_ONCE] for start in range(0, len(people), AT_ONCE))
    return all(_add(session, reward, scopes, 1, reward.cap_person) for scopes in some)


def day_of(reward: Reward, now: datetime) -> str:
    """The day it is where the campaign runs."""
    return f"day:{now.astimezone(ZoneInfo(reward.campaign.timezone)).date().isoformat()}"


def person_of(advocate_id: int | str) -> str:
    """The name under which a person is counted."""
    return f"person:{advocate_id}"


def _tallies(reward: Reward) -> sa.Select[str, int]:
    return sa.select(Tally.scope, Tally.n).where(Tally.reward_id == reward.id)


def _add(session: Session, reward: Reward, scopes: Sequence[str], amount: int, most: int | None) -> bool:
    """Add `amount` to each of these counts where it stays within `most`; whether all did."""
    limit = UNLIMITED if most is None else most
    if amount > limit:
        return False
    insert = sqlite.insert if is_sqlite(session) else postgresql.insert
    told = sorted(scopes)  # in one order for everybody, so that two writers never wait for each other in a ring
    rows = insert(Tally)
    added = rows.on_conflict_do_update(
        index_elements=["reward_id", "scope"],
        set_={"n": Tally.n + rows.excluded.n},
        where=Tally.n + rows.excluded.n <= limit,
    )
    # Beside the statement, not in it: then it is compiled once.
    values = [{"reward_id": reward.id, "scope": scope, "n": amount} for scope in told]
    return len(session.execute(added.returning(Tally.scope), values).all()) == len(told)
