"""How far somebody has come towards a milestone: what the campaign's own ranking of all time counts, no more."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.leaderboards.models import Board, Standing
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
    mine = Board.brand_id == reward.brand_id, Board.kind == "campaign", Board.ref_id == reward.campaign_id
    return (*mine, Board.days == 0)


def is_reached(reward: Reward, step: Any) -> sa.ColumnElement[bool]:
    """The condition on Standing: it has come to this step."""
    figure, unit = FIGURES[reward.rule["trigger"]]
    enough: sa.ColumnElement[bool] = figure >= step * (int(reward.rule["at_least"]) * unit)
    return enough


def counted(session: Session, reward: Reward, advocate_ids: Collection[int]) -> dict[int, int]:
    """How far each of these has come: visits by people, purchases, or whole points. Who has nothing is not in it."""
    figure, unit = FIGURES[reward.rule["trigger"]]
    theirs = sa.select(Standing.advocate_id, figure).join(Board, Board.id == Standing.board_id)
    rows = session.execute(theirs.where(*own_board(reward), is_among(session, Standing.advocate_id, advocate_ids)))
    return {advocate_id: int(count) // unit for advocate_id, count in rows}


def still_reached(session: Session, push: Push) -> bool:
    """Whether what a push was given for still stands; for one that a ranking chose it always does."""
    if not push.step:
        return True
    reward = session.get_one(Reward, push.reward_id)
    theirs = sa.select(Standing.advocate_id).join(Board, Board.id == Standing.board_id).where(*own_board(reward))
    found = theirs.where(Standing.advocate_id == push.advocate_id, is_reached(reward, push.step))
    return session.scalar(found) is not None
