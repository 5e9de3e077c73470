"""From a frozen ranking to the push ledger, chunk by chunk: who is owed what, with code, amount and Message-ID.

Each chunk is one transaction: rows, codes and budget come together or not at all. A chunk that was planned before is
passed over, so that a planner may be started again, or twice at once.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.db import db, insert_ignore
from amplify.core.failpoints import reach
from amplify.core.jobs import enqueue, job
from amplify.delivery.services import new_message_id
from amplify.leaderboards.models import Snapshot, SnapshotRow
from amplify.rewards import delivering
from amplify.rewards.eligibility import Candidate, allocate, judge
from amplify.rewards.models import LeftOut, Push, Reward
from amplify.rewards.services import affordable, spend
from amplify.rewards.types import RewardType, type_of

NAME = "plan-pushes"
CHUNK = 1_000
# Planned in the transaction of the start; what is more follows in transactions of its own, so that clicks go on.
AT_ONCE = 2_000


class Unsettled(RuntimeError):
    """Codes, rows and budget did not come out together: somebody else was faster. All is undone and tried again."""


@dataclass(frozen=True)
class Chunk:
    """The next `size` of the chosen who are not in the ledger yet, after a rank."""

    size: int
    after_rank: int = 0


def begin(session: Session, campaign: Campaign, snapshot: Snapshot) -> None:
    """Plan the start: the first 2,000 here and now, the others by a job."""
    planned = 0
    while planned < AT_ONCE:
        done = plan(session, campaign, snapshot, Chunk(size=CHUNK))
        planned += done
        if done < CHUNK:
            return
    payload = {"campaign_id": campaign.id, "snapshot_id": snapshot.id}
    enqueue(session, NAME, payload, key=f"{campaign.id}:{campaign.occurrence}")


@job(NAME)
def plan_pushes(payload: dict[str, Any]) -> None:
    """Plan the rest of a start, a transaction per chunk. Ends early when the campaign was stopped."""
    session = db.session
    while True:
        campaign = delivering.held_still(session, payload["campaign_id"])
        if campaign.state == "stopped":
            return
        snapshot = session.get_one(Snapshot, payload["snapshot_id"])
        if plan(session, campaign, snapshot, Chunk(size=CHUNK)) == 0:
            return
        reach("plan-before-commit")
        session.commit()
        reach("plan-after-commit")


def plan(session: Session, campaign: Campaign, snapshot: Snapshot, chunk: Chunk) -> int:
    """Put a chunk of the chosen into the ledger, as pushes or as left out; how many were looked at (0: none is left).

    Raises Unsettled when the database gave fewer codes, rows or money than it had said: roll back and come again.
    """
    # One planner of a reward at a time: what is read below stays true until the commit.
    locked = sa.select(Reward).where(Reward.campaign_id == campaign.id).with_for_update()
    reward = session.scalar(locked.execution_options(populate_existing=True))
    if reward is None:
        return 0
    rows = _not_planned(session, snapshot, chunk)
    brand = session.get_one(Brand, campaign.brand_id)
    judged = judge(session, brand, reward, rows)
    kind = type_of(reward.type)
    allocated, codes = _allocated(session, reward, kind, snapshot, judged)
    getting = [one for one in allocated if one.rule is None]
    _give(session, brand, reward, kind, snapshot, getting, codes)
    _leave_out(session, snapshot, [one for one in allocated if one.rule is not None])
    delivering.order_later(session, campaign, [one.rank for one in getting])
    return len(rows)


def _not_planned(session: Session, snapshot: Snapshot, chunk: Chunk) -> list[SnapshotRow]:
    start = {"campaign_id": snapshot.campaign_id, "occurrence": snapshot.occurrence}
    known = [
        sa.exists().where(
            *(getattr(table, name) == value for name, value in start.items()),
            table.advocate_id == SnapshotRow.advocate_id,
        )
        for table in (Push, LeftOut)
    ]
    rows = sa.select(SnapshotRow).where(
        SnapshotRow.snapshot_id == snapshot.id, SnapshotRow.rank > chunk.after_rank, ~sa.or_(*known)
    )
    return list(session.scalars(rows.order_by(SnapshotRow.rank).limit(chunk.size)))


def _allocated(
    session: Session, reward: Reward, kind: RewardType, snapshot: Snapshot, judged: list[Candidate]
) -> tuple[list[Candidate], list[str]]:
    """The candidates with what cap, budget and codes say about them, and a code for each who gets one."""
    cap = None if reward.cap_pushes is None else reward.cap_pushes - _planned(session, snapshot)
    most = affordable(reward)
    wanted = sum(one.rule is None for one in allocate(judged, cap=cap, affordable=most, codes=len(judged)))
    codes = kind.reserve(session, reward, wanted) if wanted else []
    return allocate(judged, cap=cap, affordable=most, codes=len(codes)), codes


def _planned(session: Session, snapshot: Snapshot) -> int:
    counted = sa.select(sa.func.count()).where(
        Push.campaign_id == snapshot.campaign_id, Push.occurrence == snapshot.occurrence
    )
    return int(session.scalar(counted) or 0)


def _give(
    session: Session,
    brand: Brand,
    reward: Reward,
    kind: RewardType,
    snapshot: Snapshot,
    getting: list[Candidate],
    codes: list[str],
) -> None:
    if not getting:
        return
    if not spend(session, reward, reward.value_minor * len(getting)):
        raise Unsettled("the budget does not hold it any more")
    rows = [_push(brand, reward, snapshot, one, code) for one, code in zip(getting, codes, strict=True)]
    if insert_ignore(session, Push, rows) != len(rows):
        raise Unsettled("another planner put some of them in")
    if kind.settle(session, reward, codes) != len(codes):
        raise Unsettled("a code was taken meanwhile")


def _push(brand: Brand, reward: Reward, snapshot: Snapshot, one: Candidate, code: str) -> dict[str, Any]:
    host = brand.target_hosts[0] if brand.target_hosts else "amplify.invalid"
    return {
        "brand_id": brand.id, "campaign_id": snapshot.campaign_id, "occurrence": snapshot.occurrence,
        "advocate_id": one.advocate_id, "reward_id": reward.id, "snapshot_id": snapshot.id,
        "channel": one.channel, "locale": one.locale, "rank": one.rank,
        "code": code, "amount_minor": reward.value_minor, "currency": reward.currency,
        "message_id": new_message_id(host),
        "provider_key": f"{snapshot.campaign_id}:{snapshot.occurrence}:{one.advocate_id}:{one.channel}",
        "state": "earned", "reason": "", "attempts": 0, "planned_at": clock.now(),
    }  # fmt: skip


def _leave_out(session: Session, snapshot: Snapshot, left: list[Candidate]) -> None:
    rows = [
        {
            "brand_id": snapshot.brand_id, "campaign_id": snapshot.campaign_id, "occurrence": snapshot.occurrence,
            "advocate_id": one.advocate_id, "rank": one.rank, "rule": one.rule, "at": clock.now(),
        }
        for one in left
    ]  # fmt: skip
    insert_ignore(session, LeftOut, rows)
