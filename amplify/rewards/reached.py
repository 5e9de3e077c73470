"""How far somebody has come towards a milestone: what the campaign's own ranking of all time counts, no more.

Once the campaign has ended, what had happened by then: a purchase counts by its own time, whenever it is told.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from amplify.core.bulk import is_among
from amplify.leaderboards.decided import RESTORED
from amplify.leaderboards.models import Board, PointsEntry, Standing
from amplify.leaderboards.scoring import in_force, shown_id
from amplify.rewards.models import Push, Reward

# Why a step is not owed any more (eligibility.RULES).
UNDONE = "milestone"
# What of a standing a trigger counts, and how many of that are one: standings keep points in thousandths.
FIGURES: dict[str, tuple[Any, int]] = {
    "human_click": (Standing.human_clicks, 1),
    "conversion": (Standing.conversions, 1),
    "points": (Standing.milli_points, 1000),
}


def own_board(reward: Reward) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition on Board: what came through the links of the reward's campaign."""
    mine = Board.scoring_id == shown_id(reward.brand_id), Board.kind == "campaign", Board.ref_id == reward.campaign_id
    return (*mine, Board.days == 0)


def is_reached(session: Session, reward: Reward, step: Any) -> sa.ColumnElement[bool]:
    """The condition on Standing: it has come to this step."""
    figure, unit = _figure(session, reward)
    enough: sa.ColumnElement[bool] = figure >= step * (int(reward.rule["at_least"]) * unit)
    return enough


def counted(session: Session, reward: Reward, advocate_ids: Collection[int]) -> dict[int, int]:
    """How far each of these has come: visits by people, purchases, or whole points. Who has nothing is not in it."""
    figure, unit = _figure(session, reward)
    theirs = sa.select(Standing.advocate_id, figure).join(Board, Board.id == Standing.board_id)
    rows = session.execute(theirs.where(*own_board(reward), is_among(session, Standing.advocate_id, advocate_ids)))
    return {advocate_id: int(count) // unit for advocate_id, count in rows}


def fallen_short(session: Session, pushes: Collection[Any]) -> set[int]:
    """The ids of those of these pushes (rows of id, advocate_id, reward_id, step) whose step stands no longer."""
    steps = [push for push in pushes if push.step]
    short: set[int] = set()
    for reward_id in {push.reward_id for push in steps}:
        reward, mine = session.get_one(Reward, reward_id), [push for push in steps if push.reward_id == reward_id]
        come = counted(session, reward, {push.advocate_id for push in mine})
        need = int(reward.rule["at_least"])
        short |= {push.id for push in mine if come.get(push.advocate_id, 0) < push.step * need}
    return short


def still_reached(session: Session, push: Push) -> bool:
    """Whether what a push was given for still stands; for one that a ranking chose it always does."""
    return not fallen_short(session, [push])


def _figure(session: Session, reward: Reward) -> tuple[Any, int]:
    """What a standing counts, and how many of that are one."""
    figure, unit = FIGURES[reward.rule["trigger"]]
    end = reward.campaign.finished_at
    return (figure if end is None else _by_then(session, reward, end)), unit


def _by_then(session: Session, reward: Reward, end: datetime) -> sa.ScalarSelect[Any]:
    """The same of what had happened by the campaign's end, from the entries of the standing's advocate that stand."""
    trigger, taking = reward.rule["trigger"], aliased(PointsEntry)
    of_them = PointsEntry.advocate_id == Standing.advocate_id, PointsEntry.campaign_id == reward.campaign_id
    stands = PointsEntry.reverses_id.is_(None), ~sa.exists().where(taking.reverses_id == PointsEntry.id)
    kind: sa.ColumnElement[bool] = PointsEntry.is_reward_eligible.expression
    figure: sa.ColumnElement[int] = sa.literal(1)
    if trigger == "points":
        figure = in_force(session, reward.brand_id).worth_of(PointsEntry)
    else:
        kind = PointsEntry.cause.in_((trigger, RESTORED[trigger]))
    total = sa.select(sa.func.coalesce(sa.func.sum(figure), 0))
    found = total.where(*of_them, *stands, kind, PointsEntry.occurred_at <= end).correlate(Standing)
    return found.scalar_subquery()
