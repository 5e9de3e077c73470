"""From the push ledger to the mail: each push is looked at again and its mail is ordered, with its own Message-ID.

What a provider makes is made first. `delivery` sends and tries again; what became of the mail comes back as an event
and is written into the push. A pause holds ordered mails back, a stop calls them off.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.bulk import is_among
from amplify.core.db import db
from amplify.core.errors import Invalid
from amplify.core.failpoints import reach
from amplify.core.jobs import enqueue, job
from amplify.core.outgoing import Client
from amplify.core.tokens import uuid7
from amplify.core.web import amplify
from amplify.customers.models import Customer
from amplify.delivery import jobs as delivery_jobs
from amplify.delivery.endpoints import WEBHOOK
from amplify.delivery.models import PENDING, Message
from amplify.delivery.services import cancel, new_message, queue_messages
from amplify.fraud import holds
from amplify.rewards import mail
from amplify.rewards.models import Push, Reward
from amplify.rewards.ordering import Round, Span, order_all, ordered_types
from amplify.rewards.reached import UNDONE, fallen_short
from amplify.rewards.services import release
from amplify.rewards.settling import HELD, STOPPED, held_still, settle
from amplify.rewards.states import DUE, OPEN
from amplify.rewards.ways import Way, Ways, rule_on
from amplify.sharing.models import Advocate

NAME = "deliver-pushes"
BATCH = 200
# Ranks per job: a million pushes are 500 jobs of ten short transactions. To enqueue one costs as much as to plan a
# hundred pushes.
SPAN = 2_000
LATER_SECONDS = 5.0


def order_later(session: Session, campaign_id: int, occurrence: int, ranks: Sequence[int], again: str = "") -> None:
    """Enqueue the delivery of a start's pushes with these ranks (sorted), in spans, with the caller's transaction."""
    for start in range(0, len(ranks), SPAN):
        batch = ranks[start : start + SPAN]
        payload = {"campaign_id": campaign_id, "occurrence": occurrence, "ranks": [batch[0], batch[-1]]}
        enqueue(session, NAME, payload, key=f"{campaign_id}:{occurrence}:{batch[0]}{again}")


def order_each(session: Session, pushes: sa.Select[Any], again: str) -> None:
    """The same for whatever a query finds, start by start. `again` sets their keys apart from the first time's."""
    places = pushes.with_only_columns(Push.campaign_id, Push.occurrence, Push.rank)
    found = session.execute(places.order_by(Push.campaign_id, Push.occurrence, Push.rank)).all()
    for (campaign_id, occurrence), rows in groupby(found, key=lambda row: (row.campaign_id, row.occurrence)):
        order_later(session, campaign_id, occurrence, [row.rank for row in rows], again)


@job(NAME)
def deliver_pushes(payload: dict[str, Any]) -> None:
    """Order the mails of a range of ranks, a transaction per batch. Paused: they wait for CampaignReleased."""
    session, span = db.session, Span(payload["campaign_id"], payload["occurrence"], *payload["ranks"])
    made = order_all(session, Client.of(amplify().settings), span)
    while order(session, *span):
        reach("order-before-commit")
        session.commit()
        reach("order-after-commit")
    session.rollback()
    _come_again(session, span, made)


def _come_again(session: Session, span: Span, made: Round) -> None:
    """A provider wants to be asked later: by a job of its own as long as it goes on, else by the engine's back-off."""
    if made.later is None:
        return
    if not made.made:
        raise made.later
    wait = timedelta(seconds=made.later.retry_after_seconds or LATER_SECONDS)
    payload = {"campaign_id": span.campaign_id, "occurrence": span.occurrence, "ranks": [span.first, span.last]}
    key = f"{span.campaign_id}:{span.occurrence}:{span.first}:{uuid7()}"
    enqueue(session, NAME, payload, key=key, not_before=clock.now() + wait)
    session.commit()


def order(session: Session, campaign_id: int, occurrence: int, first: int, last: int) -> int:
    """Order the mails of the next owed pushes in this range that have none; returns how many were looked at."""
    campaign = held_still(session, campaign_id)
    if campaign.state in ("paused", "stopped"):
        return 0
    in_range = Push.occurrence == occurrence, Push.rank.between(first, last), Push.advocate_id.is_not(None)
    owed = _ready(_unordered(campaign_id)).where(*in_range).order_by(Push.rank).limit(BATCH)
    locked = owed.with_for_update(of=Push).execution_options(populate_existing=True)
    rows = session.execute(locked).all()
    brand = session.get_one(Brand, campaign.brand_id)
    ways = Ways.of(session, brand, [row.Customer for row in rows])
    facts = mail.Facts.of(session, brand, campaign, rows[0].Push) if rows else None
    short = fallen_short(session, [row.Push for row in rows])
    messages: list[dict[str, Any]] = []
    for push, customer in rows:
        way = ways.choose(customer)
        rule = UNDONE if push.id in short else way.rule
        if rule is None and way.channel and facts is not None:
            made = _message(brand, push, customer, facts, way)
            messages += [made] if made is not None else []
            rule = "no-email" if made is None else None
        if rule is not None:
            settle(session, push, "suppressed", rule)
    queue_messages(session, messages)
    return len(rows)


def withheld(session: Session, messages: Sequence[Message]) -> dict[int, str]:
    """Of these messages the rewards that must not leave any more, and the rule (eligibility.RULES) of each. A test to
    oneself has no push; a pause or a stop has changed the message's own state."""
    ours = {message.message_id: message for message in messages if message.template == mail.TEMPLATE}
    if not ours:
        return {}
    owed: Any = sa.select(Push.id, Push.message_id, Push.advocate_id, Push.reward_id, Push.step)
    owed = owed.add_columns(Customer.id.label("customer_id"), Customer.erased_at, Customer.consent, Customer.email)
    owed = owed.add_columns(Customer.phone, Customer.sms_consent)
    owed = owed.join(Advocate, Advocate.id == Push.advocate_id)
    owed = owed.outerjoin(Customer, Customer.id == Advocate.customer_id)
    pushes = session.execute(owed.where(is_among(session, Push.message_id, list(ours)))).all()
    whole = holds.wholly(session, {push.advocate_id for push in pushes})
    # The points of who is being checked are set aside: that alone undoes nothing.
    short = fallen_short(session, [push for push in pushes if push.advocate_id not in whole])
    found: dict[int, str] = {}
    for push in pushes:
        message = ours[push.message_id]
        rule = rule_on(message.channel, push if push.customer_id is not None else None)
        rule = rule or ("refused" if whole.get(push.advocate_id) == "refused" else None)
        if rule := rule or (UNDONE if push.id in short else None):
            found[message.id] = rule
    return found


def fall_back(session: Session, push: Push, message: Message) -> bool:
    """The way to this person is closed: take the next, with the same code and Message-ID. False if there is none."""
    person = sa.select(Customer).join(Advocate, Advocate.customer_id == Customer.id)
    customer = session.scalar(person.where(Advocate.id == push.advocate_id))
    brand = session.get_one(Brand, push.brand_id)
    way = Ways.of(session, brand, [customer]).choose(customer)
    if push.state not in DUE or not way.channel or way.channel == message.channel:
        return False
    push.channel = message.channel = way.channel
    message.address = way.address
    message.context = _said_on(way.channel, message.context, customer)
    message.order_again("queued")
    session.flush()
    delivery_jobs.hand_over(session, [message.id])
    return True


def hold(session: Session, campaign: Campaign) -> None:
    """A pause: mails that were ordered and have not left wait."""
    _turn(session, campaign, PENDING, HELD)


def let_go(session: Session, campaign: Campaign) -> None:
    """The end of a pause: held mails are handed to the job engine, and what was not ordered yet is."""
    free = ~holds.is_whole(Push.advocate_id)
    delivery_jobs.hand_over(session, _turn(session, campaign, (HELD,), "queued", free))
    again = f":v{campaign.version}"  # the first batches had these keys: say that this is another time
    order_each(session, _unordered(campaign.id), again)


def call_off(session: Session, campaign: Campaign) -> None:
    """A stop: whatever has not left is cancelled, and its amount goes back to the budget."""
    _turn(session, campaign, (HELD,), "waiting")
    owed = sa.select(Push.message_id).where(Push.campaign_id == campaign.id, Push.state.in_(OPEN))
    ordered = list(session.scalars(owed.where(_has_message())))
    for start in range(0, len(ordered), BATCH):
        cancel(session, campaign.brand_id, ordered[start : start + BATCH], STOPPED)
    unordered = sa.update(Push).where(Push.campaign_id == campaign.id, Push.state.in_(OPEN), ~_has_message())
    off = unordered.values(state="cancelled", reason=STOPPED)
    session.execute(off.execution_options(synchronize_session=False))
    _give_back(session, campaign)


def _give_back(session: Session, campaign: Campaign) -> None:
    """One change of each budget for the whole stop, last: a lock on it must not be held while mails are called off."""
    ours = Push.campaign_id == campaign.id, Push.state == "cancelled", Push.reason == STOPPED
    sums = sa.select(Push.reward_id, sa.func.sum(Push.amount_minor)).where(*ours).group_by(Push.reward_id)
    for reward_id, amount in session.execute(sums.order_by(Push.reward_id)).all():
        if amount:
            release(session, session.get_one(Reward, reward_id), int(amount))


def _message(brand: Brand, push: Push, customer: Customer, facts: "mail.Facts", way: Way) -> dict[str, Any] | None:
    """The message; None if that address can never be written to."""
    push.channel = way.channel
    try:
        return new_message(
            brand,
            template=mail.TEMPLATE,
            channel=push.channel,
            address=way.address,
            locale=push.locale,
            context=_said_on(way.channel, facts.context(push), customer),
            message_id=push.message_id,
            person=customer.person,
            timezone=customer.timezone or "",
        )
    except Invalid:
        return None


def _said_on(channel: str, context: dict[str, Any], customer: Customer | None) -> dict[str, Any]:
    """The brand's own program must know whom it is for; nobody else is told its number for them."""
    plain = {name: value for name, value in context.items() if name != "customer"}
    return plain | ({"customer": customer.external_id} if channel == WEBHOOK and customer else {})


def _unordered(campaign_id: int) -> Any:
    """Pushes that are owed and have no mail yet, with the person; not those of people who are being checked. A friend
    has no person: what their pushes wait for is the provider."""
    return (
        sa.select(Push, Customer)
        .outerjoin(Advocate, Advocate.id == Push.advocate_id)
        .outerjoin(Customer, Customer.id == Advocate.customer_id)
        .where(Push.campaign_id == campaign_id, Push.state.in_(DUE), ~_has_message())
        .where(~holds.is_whole(Push.advocate_id))
    )


def _ready(pushes: Any) -> Any:
    """Of these pushes those whose reward is there: what a provider makes has to be made before it is told of."""
    ours = sa.select(Reward.id).where(Reward.type.not_in(ordered_types()))
    return pushes.where(sa.or_(Push.ordered_at.is_not(None), Push.reward_id.in_(ours)))


def _has_message() -> sa.Exists:
    return sa.exists().where(Message.message_id == Push.message_id)


def _turn(
    session: Session, campaign: Campaign, states: Sequence[str], to: str, *among: sa.ColumnElement[bool]
) -> list[int]:
    """Change the state of this campaign's mails that have not left; their ids."""
    ours = sa.select(Push.message_id).where(Push.campaign_id == campaign.id, *among)
    theirs = Message.brand_id == campaign.brand_id, Message.state.in_(states), Message.message_id.in_(ours)
    # Locked in the order of ids, as whoever sends a group of them does it: neither waits for the other for ever.
    locked = sa.select(Message.id).where(*theirs).order_by(Message.id).with_for_update()
    change = (
        sa.update(Message)
        .where(Message.id.in_(locked), Message.state.in_(states))
        .values(state=to)
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    )
    return sorted(session.scalars(change))
