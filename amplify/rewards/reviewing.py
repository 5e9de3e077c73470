"""Rewards of people who are being checked: what has not left waits, leaves once they are accepted, or never does."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.core.tokens import uuid7
from amplify.delivery.models import PENDING, Message
from amplify.fraud import holds
from amplify.fraud.events import HoldsChanged
from amplify.rewards import delivering
from amplify.rewards.models import Push
from amplify.rewards.settling import HELD, call_back, held_still, turn
from amplify.rewards.states import DUE, OPEN

REFUSED = "refused after a check"


def on_holds_changed(session: Session, fact: HoldsChanged) -> None:
    """Hold, let go or call off what these advocates are owed, campaign by campaign."""
    whole = holds.wholly(session, fact.advocate_ids)
    owed = Push.advocate_id.in_(fact.advocate_ids), Push.state.in_(OPEN)
    for campaign_id in session.scalars(sa.select(Push.campaign_id).where(*owed).distinct().order_by(Push.campaign_id)):
        campaign = held_still(session, campaign_id)
        ours = sa.select(Push).where(*owed, Push.campaign_id == campaign_id).order_by(Push.id).with_for_update()
        pushes = session.scalars(ours.execution_options(populate_existing=True)).all()
        turn(session, [push for push in pushes if whole.get(push.advocate_id or 0) == "held"], PENDING, HELD)
        call_back(session, [push for push in pushes if whole.get(push.advocate_id or 0) == "refused"], REFUSED)
        _let_go(session, campaign, [push for push in pushes if push.advocate_id not in whole])


def _let_go(session: Session, campaign: Campaign, pushes: Sequence[Push]) -> None:
    """What was held back leaves, unless its campaign is paused or stopped; what had no mail yet gets one."""
    if campaign.state in ("paused", "stopped") or not pushes:
        return
    turn(session, pushes, (HELD,), "waiting")
    ours = Message.message_id.in_([push.message_id for push in pushes])
    known = set(session.scalars(sa.select(Message.message_id).where(ours)))
    for push in pushes:
        if push.state in DUE and push.message_id not in known:
            delivering.order_later(session, campaign.id, push.occurrence, [push.rank], f":{uuid7()}")
