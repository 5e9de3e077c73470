"""From a frozen ranking to the push ledger, chunk by chunk: who is owed what, with code, amount and Message-ID.

Each chunk is one short transaction: rows, codes, budget and how far the planning has come are moved together or not at
all. So a planner that died continues where it was, and one more planner changes nothing.
"""

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.bulk import insert_many
from amplify.core.db import db
from amplify.core.failpoints import reach
from amplify.core.jobs import enqueue, job
from amplify.leaderboards.models import Snapshot, SnapshotRow
from amplify.leaderboards.services import freeze_more
from amplify.rewards import caps, delivering
from amplify.rewards.eligibility import CHANNEL, Candidate, Limits, Start, candidates
from amplify.rewards.giving import Unsettled, give, take_codes
from amplify.rewards.models import ADVOCATE, LeftOut, Reward
from amplify.rewards.services import affordable
from amplify.rewards.settling import held_still

NAME = "plan-pushes"
# Ranks in the first transaction of a job; the next ones have up to twice as many, or as few as take TURN_SECONDS. More
# would not fit into what a worker keeps of SQLite's file, and be read twice.
CHUNK = 2_000
# A click may have to wait for 0.3 s; on a busy machine a transaction can take twice as long as the one before.
TURN_SECONDS = 0.15
# Planned in the transaction of the start; what is more follows in transactions of its own, so that clicks go on.
AT_ONCE = 1_000


def begin(session: Session, campaign: Campaign, snapshot: Snapshot) -> None:
    """Plan the start: the first 1,000 here and now, the others by a job."""
    plan(session, campaign, snapshot, AT_ONCE)
    if snapshot.frozen_at is None or snapshot.planned < snapshot.frozen:
        payload = {"campaign_id": campaign.id, "snapshot_id": snapshot.id}
        enqueue(session, NAME, payload, key=f"{campaign.id}:{snapshot.occurrence}")


@job(NAME)
def plan_pushes(payload: dict[str, Any]) -> None:
    """Freeze and plan the rest of a start, a transaction per chunk. Ends early when the campaign was stopped."""
    for step, name in ((_freeze, "freeze"), (plan, "plan")):
        size, began = float(CHUNK), time.monotonic()
        while _take_step(payload, step, int(size)):
            reach(f"{name}-before-commit")
            db.session.commit()
            reach(f"{name}-after-commit")
            took, began = time.monotonic() - began, time.monotonic()
            size = min(CHUNK * 2, max(CHUNK // 8, size * min(2.0, TURN_SECONDS / max(took, 0.001))))
        db.session.commit()


def _take_step(payload: dict[str, Any], step: Any, size: int) -> int:
    session = db.session
    campaign = held_still(session, payload["campaign_id"])
    if campaign.state == "stopped":
        return 0
    return int(step(session, campaign, session.get_one(Snapshot, payload["snapshot_id"]), size))


def _freeze(session: Session, campaign: Campaign, snapshot: Snapshot, size: int) -> int:
    return freeze_more(session, snapshot, size)


def plan(session: Session, campaign: Campaign, snapshot: Snapshot, size: int) -> int:
    """Put the next `size` of the frozen ranks into the ledger, as pushes or as left out; how many were looked at.

    Raises Unsettled when the database gave fewer codes or less money than it had said: roll back and come again.
    """
    # One planner of a reward at a time: what is read below stays true until the commit.
    locked = sa.select(Reward).where(Reward.campaign_id == campaign.id, Reward.side == ADVOCATE).with_for_update()
    reward = session.scalar(locked.execution_options(populate_existing=True))
    session.refresh(snapshot)
    if reward is None:
        return 0
    brand = session.get_one(Brand, campaign.brand_id)
    start = Start(brand, campaign, reward, snapshot.occurrence, snapshot.taken_at)
    fits = Limits(_room(session, reward, snapshot), affordable(reward))
    judged = list(fits.allocate(candidates(session, start, _next_rows(snapshot, size), size)))
    if not judged:
        return 0
    codes = take_codes(session, reward, [one for one in judged if one.rule is None])
    getting = [one for one in judged if one.rule is None]
    _come_as_far_as(session, snapshot, judged[-1].rank - snapshot.skipped, len(getting))
    _give(session, brand, reward, snapshot, getting, codes)
    _leave_out(session, snapshot, [one for one in judged if one.rule is not None])
    delivering.order_later(session, campaign.id, snapshot.occurrence, [one.rank for one in getting])
    return len(judged)


def _next_rows(snapshot: Snapshot, size: int) -> sa.Subquery:
    columns = (SnapshotRow.advocate_id, SnapshotRow.rank, SnapshotRow.human_clicks, SnapshotRow.conversions)
    first, last = snapshot.planned + 1, min(snapshot.planned + size, snapshot.frozen)
    ahead = SnapshotRow.rank.between(snapshot.skipped + first, snapshot.skipped + last)
    rows = sa.select(*columns).where(SnapshotRow.snapshot_id == snapshot.id, ahead)
    return rows.subquery()


def _come_as_far_as(session: Session, snapshot: Snapshot, planned: int, pushed: int) -> None:
    """Note how far the plan has come; only if it still stood where it was read."""
    moved = sa.update(Snapshot).where(Snapshot.id == snapshot.id, Snapshot.planned == snapshot.planned)
    further = moved.values(planned=planned, pushed=Snapshot.pushed + pushed)
    done: Any = session.execute(further.execution_options(synchronize_session=False))
    if done.rowcount != 1:
        raise Unsettled("another planner has come further")
    session.refresh(snapshot, ["planned", "pushed"])


def _room(session: Session, reward: Reward, snapshot: Snapshot) -> int | None:
    """How many more the caps of this start, of all starts and of this day allow."""
    here = None if reward.cap_pushes is None else max(0, reward.cap_pushes - snapshot.pushed)
    return caps.lower(here, caps.room(session, reward, clock.now()))


def _give(
    session: Session, brand: Brand, reward: Reward, snapshot: Snapshot, getting: list[Candidate], codes: dict[int, str]
) -> None:
    start = f"{snapshot.campaign_id}:{snapshot.occurrence}"
    shared = {"occurrence": snapshot.occurrence, "snapshot_id": snapshot.id, "step": 0}
    columns: dict[str, Sequence[Any]] = {
        "rank": [one.rank for one in getting],
        "provider_key": [f"{start}:{one.advocate_id}:{CHANNEL}" for one in getting],
    }
    give(session, brand, reward, getting, codes, shared, columns)


def _leave_out(session: Session, snapshot: Snapshot, left: list[Candidate]) -> None:
    if not left:
        return
    shared = {
        "brand_id": snapshot.brand_id, "campaign_id": snapshot.campaign_id, "occurrence": snapshot.occurrence,
        "at": clock.now(),
    }  # fmt: skip
    columns: dict[str, Sequence[Any]] = {
        "advocate_id": [one.advocate_id for one in left],
        "rank": [one.rank for one in left],
        "rule": [one.rule for one in left],
    }
    insert_many(session, LeftOut, shared, columns)
