"""What rewards do when a campaign starts, pauses, goes on or is stopped, and when a mail has left or never will."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.events import CampaignPaused, CampaignReleased, CampaignStarted, CampaignStopped
from amplify.campaigns.models import Campaign
from amplify.core.bulk import is_among
from amplify.core.failpoints import reach
from amplify.delivery.events import MessageNotSent, MessageReturned, MessagesSent, Sent
from amplify.delivery.models import Message
from amplify.delivery.phones import is_phone
from amplify.delivery.receipts import came_back
from amplify.leaderboards.services import freeze
from amplify.rewards import delivering, mail, planning
from amplify.rewards.models import Milestone, Push, Reward
from amplify.rewards.reaching import UNWANTED
from amplify.rewards.services import reward_of, spend
from amplify.rewards.settling import settle
from amplify.rewards.states import DUE, MOVES
from amplify.rewards.types import type_of

log = structlog.get_logger(__name__)


def on_started(session: Session, fact: CampaignStarted) -> None:
    """Freeze the ranking, put the pushes into the ledger and enqueue their delivery.

    The first 1,000 in the start's transaction; the others by a job that is enqueued in it.
    """
    campaign = fact.campaign
    reward = reward_of(session, campaign)
    if reward is not None and reward.is_milestone:
        return  # whoever reaches it gets it, from now on: no ranking decides
    snapshot = freeze(session, campaign, campaign.audience, fact.at)
    reach("start-after-freeze")
    planning.begin(session, campaign, snapshot)
    reach("start-before-commit")


def on_paused(session: Session, fact: CampaignPaused) -> None:
    """What has not left waits."""
    delivering.hold(session, fact.campaign)


def on_released(session: Session, fact: CampaignReleased) -> None:
    """What waited leaves."""
    delivering.let_go(session, fact.campaign)


def on_stopped(session: Session, fact: CampaignStopped) -> None:
    """What has not left never will."""
    delivering.call_off(session, fact.campaign)
    ours = Milestone.campaign_id == fact.campaign.id, Milestone.state == "waiting"
    session.execute(sa.update(Milestone).where(*ours).values(state="left_out", rule="stopped"))


def on_messages_sent(session: Session, fact: MessagesSent) -> None:
    """Reward mails have left: those that were owed are given, all at once."""
    ours = {sent.message_id: sent for sent in fact.messages if sent.template == mail.TEMPLATE}
    if not ours:
        return
    mine = is_among(session, Push.message_id, list(ours))
    locked = sa.select(Push.id, Push.message_id, Push.reward_id, Push.state).where(mine).order_by(Push.id)
    pushes = session.execute(locked.with_for_update()).all()
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for push in pushes:
        sent = ours[push.message_id]
        if push.state in DUE:
            alike[push.reward_id, sent.attempts].append(push.id)
        else:
            _left_all_the_same(session, push.id, sent, fact.at)
    for (reward_id, attempts), ids in alike.items():
        _give(session, session.get_one(Reward, reward_id), ids, attempts, fact.at)
    _take_back(session, [one.message_id for one in ours.values() if is_phone(one.address)])


def _take_back(session: Session, message_ids: Sequence[str]) -> None:
    """Of these text messages those that the other side knew not to arrive before we had noted that they left."""
    early = sa.select(Message).where(Message.message_id.in_(message_ids), Message.receipt == "undelivered")
    if message_ids:
        for message in session.scalars(early.execution_options(populate_existing=True)).all():
            came_back(session, message, message.receipt_note)


def _give(session: Session, reward: Reward, ids: Sequence[int], attempts: int, at: datetime) -> None:
    """These pushes, which the caller has locked, have reached their people."""
    said = {"state": MOVES["send"].after, "sent_at": sa.func.coalesce(Push.sent_at, at), "attempts": attempts}
    given = sa.update(Push).where(is_among(session, Push.id, ids)).values(said)
    session.execute(given.execution_options(synchronize_session="fetch"))
    type_of(reward.type).told(session, reward, ids)


def on_message_not_sent(session: Session, fact: MessageNotSent) -> None:
    """A reward mail will never leave."""
    push = _push_of(session, fact.message)
    if push is not None:
        push.attempts = fact.message.attempts
        is_closed = fact.message.state == "failed" or fact.message.reason == UNWANTED
        if not (is_closed and delivering.fall_back(session, push, fact.message)):
            settle(session, push, fact.message.state, fact.message.reason)


def on_message_returned(session: Session, fact: MessageReturned) -> None:
    """A reward's message had left and came back: the next way brings the same code, if there is one.

    What it said was wiped when it left, and is written anew from the ledger.
    """
    push, message = _push_of(session, fact.message), fact.message
    if push is None or push.state != "sent":
        return
    push.move("return")
    campaign = session.get_one(Campaign, push.campaign_id)
    facts = mail.Facts.of(session, session.get_one(Brand, push.brand_id), campaign, push)
    message.context = facts.context(push)
    if not delivering.fall_back(session, push, message):
        settle(session, push, "failed", message.reason)


def _push_of(session: Session, message: Message) -> Push | None:
    """The push behind a mail; a test to oneself has none."""
    if message.template != mail.TEMPLATE:
        return None
    own = sa.select(Push).where(Push.brand_id == message.brand_id, Push.message_id == message.message_id)
    return session.scalar(own.with_for_update().execution_options(populate_existing=True))


def _left_all_the_same(session: Session, push_id: int, sent: Sent, at: datetime) -> None:
    """It was on the wire when something else was decided. Called off: the ledger says what happened."""
    push = session.get_one(Push, push_id, populate_existing=True)
    push.sent_at, push.attempts = push.sent_at or at, sent.attempts
    if push.state != "cancelled":
        return
    push.move("leave")
    if not spend(session, session.get_one(Reward, push.reward_id), push.amount_minor):
        log.error("a called-off reward had left, and the budget is used up", push=push.id)
