"""What becomes of a friend's reward when the order that it was given for is undone."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.rewards.models import FRIEND, Friend, Push, Reward
from amplify.rewards.settling import held_still, settle
from amplify.rewards.states import OPEN
from amplify.tracking.events import ConversionRefunded

REFUNDED = "the order was given back"


def on_refunded(session: Session, fact: ConversionRefunded) -> None:
    """What was given for this order is called off, or its code taken back; one that was used stays used."""
    friend = session.scalar(sa.select(Friend).where(Friend.conversion_id == fact.conversion.id))
    if friend is None or friend.push_id is None:
        return
    held_still(session, friend.campaign_id)
    mine = Reward.campaign_id == friend.campaign_id, Reward.side == FRIEND
    session.scalar(sa.select(Reward.id).where(*mine).with_for_update())  # locked first, as `asking` does
    push = session.get_one(Push, friend.push_id, with_for_update=True, populate_existing=True)
    if push.state in OPEN:
        settle(session, push, "cancelled", REFUNDED)
    elif push.state in ("sent", "failed"):
        push.move("revoke")
        push.reason = REFUNDED
        session.flush()
