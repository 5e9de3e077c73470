"""Trying again what failed for good: the same push, so the same code, amount and Message-ID leave once more."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.campaigns.models import Campaign
from amplify.core.bulk import is_among
from amplify.core.errors import Conflict
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.tokens import uuid7
from amplify.customers.models import Customer
from amplify.delivery import jobs as delivery_jobs
from amplify.delivery.models import Message
from amplify.rewards.delivering import order_each
from amplify.rewards.models import Push, Reward
from amplify.rewards.settling import HELD, held_still
from amplify.rewards.states import DUE
from amplify.sharing.models import Advocate


def failures(session: Session, campaign: Campaign) -> list[tuple[str, int]]:
    """What the other side said about the pushes that failed, and how many there are of each; the most first."""
    count = sa.func.count()
    grouped = sa.select(Push.reason, count).where(Push.campaign_id == campaign.id, Push.state == "failed")
    return [
        (row[0], row[1]) for row in session.execute(grouped.group_by(Push.reason).order_by(count.desc(), Push.reason))
    ]


def try_messages_again(session: Session, brand_id: int, message_ids: Sequence[int], actor: str) -> int:
    """Put these of the brand's messages back to the queue, if they failed; how many. Rewards go on with their pushes;
    those of a stopped campaign stay as they are."""
    chosen = Message.brand_id == brand_id, Message.state == "failed", is_among(session, Message.id, list(message_ids))
    pushed = sa.select(Push.campaign_id).join(Message, Message.message_id == Push.message_id).where(*chosen).distinct()
    campaigns = session.scalars(sa.select(Campaign).where(Campaign.id.in_(pushed)).order_by(Campaign.id)).all()
    count = sum(try_again(session, one, actor, message_ids) for one in campaigns if one.state != "stopped")
    others = sa.select(Message).where(*chosen, ~sa.exists().where(Push.message_id == Message.message_id))
    locked = others.order_by(Message.id).with_for_update().execution_options(populate_existing=True)
    messages = session.scalars(locked).all()
    for message in messages:
        message.order_again("queued")
    session.flush()
    delivery_jobs.hand_over(session, [message.id for message in messages])
    if messages:
        audit.record(session, brand_id, actor, "messages.retried", "brand", brand_id, {"messages": len(messages)})
    return count + len(messages)


def try_again(session: Session, campaign: Campaign, actor: str, among: Sequence[int] | None = None) -> int:
    """Put the failed pushes of this campaign back to the queue; how many. What was delivered is never among them.

    An address that was mended since is used. What must not leave any more is found at the moment of sending. In a
    pause they wait for its end. `among`: of these messages only. Raises Conflict("retry-from") once it is stopped.
    """
    campaign = held_still(session, campaign.id)
    if campaign.state == "stopped":
        raise Conflict(_l("The campaign was stopped: nothing is sent any more."), field="state", rule="retry-from")
    state = HELD if campaign.state == "paused" else "queued"
    ids = []
    for push, message, email in session.execute(_failed(session, campaign, among)):
        push.move("retry")
        push.reason = ""
        if message.channel == "email":
            message.address = email or message.address
        message.order_again(state)
        ids.append(message.id)
    session.flush()
    if state == "queued":
        delivery_jobs.hand_over(session, ids)
    count = len(ids) + (_order_again(session, campaign) if among is None else 0)
    if count:
        audit.record(session, campaign.brand_id, actor, "campaign.retried", "campaign", campaign.id, {"pushes": count})
    return count


def _order_again(session: Session, campaign: Campaign) -> int:
    """What a provider refused is asked for once more, under the same key; how many. A pause keeps them."""
    mine = (
        Push.campaign_id == campaign.id,
        Push.state == "failed",
        ~sa.exists().where(Message.message_id == Push.message_id),
    )
    pushes = session.scalars(
        sa.select(Push).where(*mine).with_for_update().execution_options(populate_existing=True)
    ).all()
    for push in pushes:
        push.move("retry")
        push.reason = ""
    go_on(session, campaign)
    return len(pushes)


def go_on(session: Session, campaign: Campaign) -> None:
    """What is due and not under way, also where a provider had stopped giving, is handed to the job engine."""
    unstall = sa.update(Reward).where(Reward.campaign_id == campaign.id, Reward.stalled != "")
    session.execute(unstall.values(stalled="").execution_options(synchronize_session=False))
    session.flush()
    unordered = ~sa.exists().where(Message.message_id == Push.message_id)
    due = sa.select(Push).where(Push.campaign_id == campaign.id, Push.state.in_(DUE), unordered)
    order_each(session, due, f":{uuid7()}")


def _failed(session: Session, campaign: Campaign, among: Sequence[int] | None) -> sa.Select[Push, Message, str | None]:
    """Pushes and mails that both failed, with the address the person has now; locked, as they are now."""
    joined = (
        sa.select(Push, Message, Customer.email)
        .join(Message, Message.message_id == Push.message_id)
        .join(Advocate, Advocate.id == Push.advocate_id)
        .outerjoin(Customer, Customer.id == Advocate.customer_id)
        .where(Push.campaign_id == campaign.id, Push.state == "failed")
        .where(Message.state == "failed", Message.sent_at.is_(None))
    )
    if among is not None:
        joined = joined.where(is_among(session, Message.id, list(among)))
    locked = joined.order_by(Message.id).with_for_update(of=(Push, Message))
    return locked.execution_options(populate_existing=True)
