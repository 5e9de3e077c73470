"""Milestones: what people reach while a campaign runs, read from the standings, and given as soon as it is reached.

The worker's round follows the projection: whoever got points on the campaign's own board is looked at again. A step
that is reached becomes a row, once for each person and step; one that a refund or a verdict undid before anything left
is taken back. Then what waits is given (`awarding.py`), in the order in which it was reached.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.bulk import insert_ignore, is_among
from amplify.core.failpoints import reach
from amplify.fraud import holds
from amplify.leaderboards.models import PointsEntry
from amplify.leaderboards.services import CURSOR as PROJECTION
from amplify.rewards import awarding
from amplify.rewards.models import ADVOCATE, Milestone, Push, Reward
from amplify.rewards.reached import UNDONE, counted
from amplify.rewards.settling import call_back, held_still
from amplify.rewards.states import GIVEN_BACK, OPEN
from amplify.tracking import cursors

CURSOR = "milestones"


class Known(NamedTuple):
    """A step that was reached before, and what was given for it, if anything."""

    row: Milestone
    push: Push | None


def milestones(session: Session, limit: int) -> int:
    """Worker round: look at whom the next `limit` projected entries touched; once there are none, give what waits.

    One worker at a time holds the cursor; rows and cursor are one transaction. Returns how many rows moved.
    """
    cursor = cursors.take(session, CURSOR)
    if cursor is None:
        return 0
    projected = PointsEntry.id <= cursors.place_of(session, PROJECTION)
    columns = (PointsEntry.id, PointsEntry.campaign_id, PointsEntry.advocate_id)
    new = sa.select(*columns).where(PointsEntry.id > cursor.position, projected)
    entries = session.execute(new.order_by(PointsEntry.id).limit(limit)).all()
    if not entries:
        return awarding.award(session, limit)
    touched: dict[int, set[int]] = defaultdict(set)
    for _id, campaign_id, advocate_id in entries:
        touched[campaign_id].add(advocate_id)
    rewards = sa.select(Reward).where(Reward.side == ADVOCATE, is_among(session, Reward.campaign_id, touched))
    for reward in session.scalars(rewards).all():
        if reward.is_milestone:
            _look_at(session, reward, touched[reward.campaign_id])
    cursor.move(entries[-1].id)
    reach("milestone-before-commit")
    return len(entries)


def _look_at(session: Session, reward: Reward, touched: Collection[int]) -> None:
    """Write down what these people have reached, and take back what they have not any more."""
    campaign = held_still(session, reward.campaign_id)
    if campaign.state == "stopped":
        return
    counts, known = counted(session, reward, touched), _known(session, reward, touched)
    whole = holds.wholly(session, list(touched))
    times, at_least = int(reward.rule["times"]), int(reward.rule["at_least"])
    new = []
    for advocate_id in sorted(touched):
        steps, theirs = min(times, counts.get(advocate_id, 0) // at_least), known.get(advocate_id, {})
        if whole.get(advocate_id) != "held":  # who is being checked has no points now: what is owed waits as it is
            _take_back(session, [one for step, one in theirs.items() if step > steps])
        new += [(advocate_id, step) for step in range(1, steps + 1) if step not in theirs]
        _reach_again([one for step, one in theirs.items() if step <= steps])
    shared = {"brand_id": reward.brand_id, "campaign_id": campaign.id, "state": "waiting", "rule": ""}
    rows = [{**shared, "advocate_id": who, "step": step, "reached_at": clock.now()} for who, step in new]
    insert_ignore(session, Milestone, rows)


def _known(session: Session, reward: Reward, touched: Collection[int]) -> dict[int, dict[int, Known]]:
    """Advocate -> step -> what is known of it; the pushes are locked, as they are now."""
    mine = Milestone.campaign_id == reward.campaign_id, is_among(session, Milestone.advocate_id, touched)
    rows = session.scalars(sa.select(Milestone).where(*mine).execution_options(populate_existing=True)).all()
    given = [row.push_id for row in rows if row.push_id is not None]
    locked = sa.select(Push).where(is_among(session, Push.id, given)).order_by(Push.id).with_for_update()
    pushes = {push.id: push for push in session.scalars(locked.execution_options(populate_existing=True))}
    found: dict[int, dict[int, Known]] = defaultdict(dict)
    for row in rows:
        found[row.advocate_id][row.step] = Known(row, pushes.get(row.push_id or 0))
    return found


def _take_back(session: Session, lost: Collection[Known]) -> None:
    """A step is not reached any more: nothing is owed for it unless it has left."""
    for row, push in lost:
        if push is None and row.state == "waiting":
            session.delete(row)
        elif push is not None:
            row.state = "given"
            if push.state in OPEN:
                call_back(session, [push], UNDONE)
    session.flush()


def _reach_again(found: Collection[Known]) -> None:
    """What was taken back because it was undone is owed anew, under the same code."""
    for row, push in found:
        if push is not None and push.state in GIVEN_BACK and push.reason == UNDONE:
            row.state = "waiting"
