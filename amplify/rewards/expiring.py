"""Rewards whose last day is over: the worker's round says so in the ledger."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.rewards.models import Push, Reward
from amplify.rewards.states import MOVES


def expire(session: Session, limit: int = 1000) -> int:
    """Say `expire` of the next pushes whose reward is over; how many. What nobody redeemed stays on the books."""
    before, after, _who = MOVES["expire"]
    over = sa.select(Reward.id).where(Reward.expires_at <= clock.now())
    due = sa.select(Push.id).where(Push.reward_id.in_(over), Push.state.in_(before)).limit(limit)
    ended = sa.update(Push).where(Push.id.in_(due), Push.state.in_(before)).values(state=after)
    done: Any = session.execute(ended.execution_options(synchronize_session=False))
    return int(done.rowcount)
