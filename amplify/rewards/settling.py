"""The outcome of one push that was owed, and holding its campaign still while that is written."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.delivery.models import Message
from amplify.delivery.services import cancel
from amplify.rewards.models import Push, Reward
from amplify.rewards.services import release
from amplify.rewards.states import OPEN

STOPPED = "the campaign was stopped"
HELD = "held"
VERB_TO = {"suppressed": "suppress", "cancelled": "cancel", "failed": "fail"}


def held_still(session: Session, campaign_id: int) -> Campaign:
    """The campaign as it is now; nobody pauses or stops it before the caller's commit."""
    return session.get_one(Campaign, campaign_id, with_for_update={"read": True}, populate_existing=True)


def settle(session: Session, push: Push, state: str, reason: str = "") -> None:
    """The outcome of a push that was owed. What is not given after all goes back to the budget; a stop does that once
    for all of its pushes."""
    if push.state not in OPEN:
        return
    push.move(VERB_TO[state])
    push.reason = reason
    session.flush()
    if state == "suppressed" or (state == "cancelled" and reason != STOPPED):
        release(session, session.get_one(Reward, push.reward_id), push.amount_minor)


def turn(session: Session, pushes: Sequence[Push], states: Sequence[str], to: str) -> None:
    """Change the state of the messages of these pushes that are in one of `states`."""
    ours = Message.message_id.in_([push.message_id for push in pushes])
    change = sa.update(Message).where(ours, Message.state.in_(states)).values(state=to)
    session.execute(change.execution_options(synchronize_session="fetch"))


def call_back(session: Session, pushes: Sequence[Push], reason: str) -> None:
    """Cancel these pushes, which the caller has locked, and their messages: what has not left never will."""
    turn(session, pushes, (HELD,), "waiting")
    for push in pushes:
        cancel(session, push.brand_id, [push.message_id], reason)
        settle(session, push, "cancelled", reason)
