"""Friends for tests: a live campaign that gives them something, visits of theirs, and what a shop asks and tells."""

import uuid
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import read
from amplify.core import clock
from amplify.fraud.models import RiskTouch
from amplify.rewards import services
from amplify.rewards.friends import terms
from amplify.rewards.friends.asking import Answer, Question, ask
from amplify.rewards.friends.terms import FriendIn
from amplify.rewards.models import Push, Reward
from amplify.rewards.uploading import upload_codes
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.buyers import key_of
from amplify.tracking.conversions import record_conversion, record_refund
from amplify.tracking.models import Conversion
from amplify.tracking.schemas import ConversionIn, RefundIn
from amplify.tracking.services import record_click, track
from tests.campaigns.making import make_campaign
from tests.rewards.making import BEFORE, REWARD_TEXTS, START, reward_in
from tests.tracking.world import SECRET, hit

WINDOW_DAYS = 30


def friend_in(**changes: Any) -> FriendIn:
    data = {
        "type": "generated_code", "name": {"en": "10 % off", "es": "10 % menos"}, "value_minor": 300,
        "currency": "USD", "settings": {"pattern": "HELLO-####-####"},
    }  # fmt: skip
    made: FriendIn = read(FriendIn, {**data, **changes})
    return made


def make_befriending(
    session: Session, brand: Brand, codes: int | None = None, is_double: bool = True, **friend: Any
) -> Campaign:
    """A live campaign whose friends get something; `codes`: from a pool of so many. `is_double`: advocates, too."""
    campaign = make_campaign(session, brand, texts=REWARD_TEXTS, name="Give and get")
    if is_double:
        rule = {"trigger": "conversion", "at_least": 1, "when": "reached", "times": 100}
        services.attach(session, campaign, reward_in(rule=rule), "user:1")
    if codes is not None:
        friend |= {"type": "code_pool", "settings": {}}
    made = terms.attach(session, campaign, friend_in(**friend), "user:1")
    if codes is not None:
        upload_codes(session, made, [f"HI-{campaign.id}-{i:05}" for i in range(codes)])
    campaigns.schedule(session, campaign, BEFORE, "user:1")
    campaigns.start_due(session, START)
    return campaign


def link_of(session: Session, campaign: Campaign, advocate: Advocate, channel: str = "x") -> ShareLink:
    link = ShareLink(
        brand_id=campaign.brand_id, code=uuid.uuid4().hex[:9], advocate_id=advocate.id, campaign_id=campaign.id,
        channel=channel, target_url=campaign.landing_url,
    )  # fmt: skip
    session.add(link)
    session.flush()
    return link


def visit(
    session: Session,
    link: ShareLink,
    visitor: int = 1,
    at: datetime | None = None,
    judged: bool = True,
    language: str = "en",
    **facts: Any,
) -> uuid.UUID:
    """A click of the visitor-th network, by a browser unless `facts` say otherwise; its token."""
    address = f"198.{18 + visitor // 250}.{visitor % 250}.7"
    click = record_click(
        session,
        link.id,
        hit(**facts)._replace(language=language),
        address=address,
        secret=SECRET,
        at=at or clock.now() - timedelta(minutes=5),
    )
    session.flush()
    if judged:
        track(session, 500)
    return click.token


def asked(
    session: Session, brand: Brand, click_id: uuid.UUID | None, order_id: str | None = None, email: str | None = None
) -> Answer:
    """What the shop is told for this friend."""
    keyed = partial(key_of, SECRET, brand.id)
    return ask(session, brand, Question(click_id, order_id, email), window_days=WINDOW_DAYS, key_of=keyed)


def buy(
    session: Session, brand: Brand, click_id: uuid.UUID, order_id: str = "A-1", email: str = "", **changes: Any
) -> Conversion:
    """An order of the visitor, told by the shop and looked at by the risk rules."""
    body = {"order_id": order_id, "amount_minor": 5000, "currency": "USD", "occurred_at": clock.now().isoformat()}
    data = ConversionIn.model_validate(body | {"click_id": str(click_id)} | changes)
    buyer = key_of(SECRET, brand.id, email)
    made, _is_new = record_conversion(session, brand.id, data, window_days=WINDOW_DAYS, buyer=buyer)
    session.execute(sa.delete(RiskTouch))
    return made


def refund(session: Session, brand: Brand, order_id: str = "A-1") -> None:
    """The whole order is given back."""
    body = {"refund_id": f"R-{order_id}", "order_id": order_id, "amount_minor": 5000, "currency": "USD"}
    record_refund(session, brand.id, RefundIn.model_validate(body | {"occurred_at": clock.now().isoformat()}))


def friends_reward(session: Session, campaign: Campaign) -> Reward:
    reward = terms.of(session, campaign)
    assert reward is not None
    session.refresh(reward)
    return reward


def friends_pushes(session: Session, campaign: Campaign) -> list[Push]:
    mine = sa.select(Push).where(Push.campaign_id == campaign.id, Push.advocate_id.is_(None)).order_by(Push.rank)
    return list(session.scalars(mine.execution_options(populate_existing=True)))


def friends_balance(session: Session, campaign: Campaign) -> bool:
    """What was spent on friends is what the ledger says, and not more than there was."""
    reward = friends_reward(session, campaign)
    pushes = friends_pushes(session, campaign)
    counted = sum(push.amount_minor for push in pushes if push.state not in ("cancelled", "suppressed"))
    return counted == reward.spent_minor and (reward.budget_minor is None or counted <= reward.budget_minor)
