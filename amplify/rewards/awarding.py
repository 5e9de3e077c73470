"""Giving what was reached: milestones that wait become pushes, with the same rules, caps, codes and budget as a start.

What runs dry (codes, budget, a cap) makes them wait in their order until it is filled; any other rule is final.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.failpoints import reach
from amplify.core.tokens import uuid7
from amplify.delivery import jobs as delivery_jobs
from amplify.delivery.models import Message
from amplify.fraud import holds
from amplify.leaderboards.models import Board, Standing
from amplify.rewards import caps, delivering
from amplify.rewards.approving import first_state
from amplify.rewards.eligibility import CHANNEL, Candidate, Limits, Start, candidates
from amplify.rewards.giving import give, take_codes
from amplify.rewards.models import ADVOCATE, Milestone, Push, Reward
from amplify.rewards.reached import is_reached, own_board
from amplify.rewards.services import affordable, reward_of, spend
from amplify.rewards.settling import held_still

# Short of these a step waits; by any other rule it is left out for good.
WAITS = ("cap", "over-budget", "no-code")
AT_ONCE = 1_000


def award(session: Session, limit: int) -> int:
    """Give what waits in the first campaign that has something to give; how many steps were settled."""
    waiting = sa.select(Milestone.campaign_id).where(Milestone.state == sa.literal_column("'waiting'")).distinct()
    for campaign_id in session.scalars(waiting.order_by(Milestone.campaign_id)).all():
        if done := award_in(session, campaign_id, min(limit, AT_ONCE)):
            return done
    return 0


def award_in(session: Session, campaign_id: int, limit: int) -> int:
    """The same in one campaign: rows, codes and budget in the caller's transaction, or none of them (`Unsettled`)."""
    campaign = held_still(session, campaign_id)
    if campaign.state in ("paused", "stopped"):
        return 0
    if done := _renew(session, campaign, limit):
        return done
    # One that gives at a time: what is read below stays true until the commit.
    locked = sa.select(Reward).where(Reward.campaign_id == campaign.id, Reward.side == ADVOCATE).with_for_update()
    reward = session.scalars(locked.execution_options(populate_existing=True)).one()
    start = Start(session.get_one(Brand, campaign.brand_id), campaign, reward, campaign.occurrence, clock.now())
    judged = list(candidates(session, start, _next(session, reward, limit).subquery(), limit))
    fits = Limits(caps.room(session, reward, start.at), affordable(reward))
    judged = list(fits.allocate(judged))
    codes = take_codes(session, reward, [one for one in judged if one.rule is None])
    _give(session, start.brand, reward, [one for one in judged if one.rule is None], codes)
    _note(session, judged)
    reach("award-before-commit")
    return sum(one.rule not in WAITS for one in judged)


def _next(session: Session, reward: Reward, limit: int) -> sa.Select[Any]:
    """The next steps that wait and still stand, each person's first one, not of those who are being checked."""
    earlier = aliased(Milestone)
    mine = earlier.campaign_id == Milestone.campaign_id, earlier.advocate_id == Milestone.advocate_id
    is_first = ~sa.exists().where(*mine, earlier.step < Milestone.step, earlier.state == "waiting")
    columns = (Milestone.advocate_id, Milestone.id.label("rank"), Milestone.step, Standing.human_clicks)
    waiting: Any = (
        sa.select(*columns, Standing.conversions)
        .join(Standing, Standing.advocate_id == Milestone.advocate_id)
        .join(Board, Board.id == Standing.board_id)
        .where(Milestone.campaign_id == reward.campaign_id, Milestone.state == sa.literal_column("'waiting'"))
        .where(Milestone.push_id.is_(None), *own_board(reward), is_reached(session, reward, Milestone.step), is_first)
        .where(~holds.is_whole(Milestone.advocate_id, "held"))
    )
    found: sa.Select[Any] = waiting.order_by(Milestone.id).limit(limit)
    return found


def _give(session: Session, brand: Brand, reward: Reward, getting: Sequence[Candidate], codes: dict[int, str]) -> None:
    """Pushes in the order of steps reached; `rank` says which of the campaign's it is."""
    if not getting:
        return
    campaign = reward.campaign
    here = Push.campaign_id == campaign.id, Push.occurrence == campaign.occurrence
    last = int(session.scalar(sa.select(sa.func.max(Push.rank)).where(*here)) or 0)
    places = list(range(last + 1, last + 1 + len(getting)))
    asked = sa.select(Milestone.id, Milestone.step).where(Milestone.id.in_([one.rank for one in getting]))
    steps = {row.id: row.step for row in session.execute(asked)}
    own = [(one, steps[one.rank]) for one in getting]
    columns: dict[str, Sequence[Any]] = {
        "rank": places,
        "step": [step for _one, step in own],
        "provider_key": [f"{campaign.id}:step{step}:{one.advocate_id}:{CHANNEL}" for one, step in own],
    }
    shared = {"occurrence": campaign.occurrence, "snapshot_id": None}
    give(session, brand, reward, getting, codes, shared, columns)
    given = [
        {"id": one.rank, "push_id": push_id, "state": "given", "rule": ""}
        for one, push_id in zip(getting, codes, strict=True)
    ]
    session.execute(sa.update(Milestone), given)
    delivering.order_later(session, campaign.id, campaign.occurrence, places)


def _note(session: Session, judged: Sequence[Candidate]) -> None:
    """What the others wait for, or by which rule they get none."""
    rest = [
        {"id": one.rank, "state": "waiting" if one.rule in WAITS else "left_out", "rule": one.rule}
        for one in judged
        if one.rule is not None
    ]
    if rest:
        session.execute(sa.update(Milestone), rest)


def _renew(session: Session, campaign: Campaign, limit: int) -> int:
    """What was taken back and is reached again is owed once more: the same push, code and Message-ID, if the budget
    still holds it. Caps have counted it already. How many."""
    again = (
        sa.select(Milestone, Push)
        .join(Push, Push.id == Milestone.push_id)
        .where(Milestone.campaign_id == campaign.id, Milestone.state == "waiting")
        .where(~holds.is_whole(Milestone.advocate_id))
        .order_by(Push.id)
        .limit(limit)
        .with_for_update(of=Push)
        .execution_options(populate_existing=True)
    )
    done = 0
    for row, push in session.execute(again).all():
        reward = reward_of(session, campaign)
        if reward is None or not spend(session, reward, push.amount_minor):
            row.rule = "over-budget"
            continue
        row.state, row.rule = "given", ""
        _owe_again(session, reward, push)
        done += 1
    session.flush()
    return done


def _owe_again(session: Session, reward: Reward, push: Push) -> None:
    """What two people had approved before stays approved; what nobody had written to is written to now."""
    push.move("renew")
    push.reason = ""
    own = Message.brand_id == push.brand_id, Message.message_id == push.message_id
    message = session.scalar(sa.select(Message).where(*own).with_for_update())
    if message is not None:
        message.order_again("queued")
        session.flush()
        delivery_jobs.hand_over(session, [message.id])
        return
    if push.ordered_at is None:
        push.state = first_state(session, reward)
    session.flush()
    delivering.order_later(session, push.campaign_id, push.occurrence, [push.rank], f":{uuid7()}")
