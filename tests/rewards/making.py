"""Rows for tests about rewards: advocates in a known order, and campaigns that reward them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import read
from amplify.core import clock
from amplify.customers.models import Customer
from amplify.leaderboards import histogram
from amplify.leaderboards.boards import WHOLE_BRAND, board_ids
from amplify.leaderboards.decay import log_of
from amplify.leaderboards.models import PointsEntry, Standing
from amplify.leaderboards.reactions import reversal_of, write
from amplify.leaderboards.scoring import begin
from amplify.leaderboards.services import project
from amplify.rewards import services
from amplify.rewards.milestones import milestones
from amplify.rewards.models import LeftOut, Push, Reward
from amplify.rewards.schemas import RewardIn
from amplify.rewards.uploading import upload_codes
from amplify.sharing.models import Advocate
from tests.campaigns.making import TEXTS, make_brand, make_campaign

START = datetime(2030, 6, 1, 7, tzinfo=UTC)
BEFORE = datetime(2030, 5, 1, tzinfo=UTC)
REWARD_TEXTS = {
    "en": TEXTS["en"] | {"reward_subject": "You were heard", "reward_text": "Show this code at the till."},
    "es": TEXTS["es"] | {"reward_subject": "Te escucharon", "reward_text": "Muestra este código en caja."},
}

__all__ = ["BEFORE", "START", "make_brand"]


def make_advocates(session: Session, brand: Brand, count: int) -> list[Advocate]:
    """`count` people who agreed to mail; the first has the most points. Every second one reads Spanish."""
    board = board_ids(session, begin(session, brand.id), [WHOLE_BRAND])[WHOLE_BRAND]
    people = [
        Customer(
            brand_id=brand.id, email=f"p{i}@mail.example", email_normal=f"p{i}@mail.example", consent=True,
            locale=("en", "es")[i % 2], name=f"Person {i}", external_id=f"x{i}",
        )
        for i in range(count)
    ]  # fmt: skip
    session.add_all(people)
    session.flush()
    advocates = [
        Advocate(brand_id=brand.id, customer_id=person.id, pseudonym=f"Bird {i}") for i, person in enumerate(people)
    ]
    session.add_all(advocates)
    session.flush()
    now = clock.now()
    scores = [log_of(count - i, now, brand.half_life_days) for i in range(count)]
    session.add_all(
        Standing(
            board_id=board, advocate_id=advocate.id, milli_points=(count - i) * 1000, human_clicks=count - i,
            conversions=int(i == 0), reached_at=now, score_log=scores[i],
        )
        for i, advocate in enumerate(advocates)
    )  # fmt: skip
    histogram.apply(session, [(board, None, score) for score in scores])
    session.flush()
    return advocates


def reward_in(**changes: Any) -> RewardIn:
    data = {
        "type": "generated_code", "name": {"en": "20 % off", "es": "20 % menos"}, "value_minor": 500,
        "currency": "USD", "settings": {"pattern": "THANKS-####-####"},
    }  # fmt: skip
    made: RewardIn = read(RewardIn, {**data, **changes})
    return made


def make_rewarded(session: Session, brand: Brand, top: int = 10, codes: int | None = None, **reward: Any) -> Campaign:
    """A scheduled campaign for the first `top`; `codes`: how many uploaded ones (then it gives from a pool)."""
    audience = {"kind": "top_n", "value": top}
    campaign = make_campaign(session, brand, audience=audience, texts=REWARD_TEXTS, name=f"Top {top}")
    if codes is not None:
        reward |= {"type": "code_pool", "settings": {}}
    made = services.attach(session, campaign, reward_in(**reward), "user:1")
    if codes is not None:
        upload_codes(session, made, [f"POOL-{campaign.id}-{i:05}" for i in range(codes)])
    campaigns.schedule(session, campaign, BEFORE, "user:1")
    return campaign


def pushes_of(session: Session, campaign: Campaign) -> list[Push]:
    rows = sa.select(Push).where(Push.campaign_id == campaign.id).order_by(Push.rank)
    return list(session.scalars(rows.execution_options(populate_existing=True)))


def left_out_of(session: Session, campaign: Campaign) -> dict[int, str]:
    """Rank -> rule."""
    rows = sa.select(LeftOut.rank, LeftOut.rule).where(LeftOut.campaign_id == campaign.id)
    return {row.rank: row.rule for row in session.execute(rows)}


def reward_of(session: Session, campaign: Campaign) -> Reward:
    reward = services.reward_of(session, campaign)
    assert reward is not None
    session.refresh(reward)
    return reward


def is_balanced(session: Session, campaign: Campaign) -> bool:
    """What was spent is what the ledger says, and not more than there was."""
    reward = reward_of(session, campaign)
    counted = sum(p.amount_minor for p in pushes_of(session, campaign) if p.state not in ("cancelled", "suppressed"))
    return counted == reward.spent_minor and (reward.budget_minor is None or counted <= reward.budget_minor)


def make_milestone(
    session: Session, brand: Brand, at_least: int = 3, times: int = 1, trigger: str = "conversion", **more: Any
) -> Campaign:
    """A live campaign that rewards each further `at_least`; `codes`: from a pool."""
    rule = {"trigger": trigger, "at_least": at_least, "when": "reached", "times": times}
    campaign = make_rewarded(session, brand, rule=rule, **more)
    campaigns.start_due(session, START)
    return campaign


def earn(
    session: Session,
    campaign: Campaign,
    advocate: Advocate,
    n: int = 1,
    cause: str = "conversion",
    at: datetime | None = None,
) -> None:
    """`n` purchases (or visits by people) through a link of theirs in this campaign, in the points ledger."""
    first = session.scalar(sa.select(sa.func.count(PointsEntry.id))) or 0
    place = {
        "brand_id": campaign.brand_id, "advocate_id": advocate.id, "campaign_id": campaign.id, "link_id": None,
        "business_line_id": None, "location_id": None, "channel": "", "cause": cause, "reverses_id": None,
        "milli_points": 5000, "is_reward_eligible": True, "occurred_at": at or clock.now(),
    }  # fmt: skip
    kind = {"conversion": "conversion", "human_click": "click"}[cause]
    write(session, [place | {"cause_key": f"{kind}:{first + i}"} for i in range(1, n + 1)])


def give_back(session: Session, campaign: Campaign, advocate: Advocate) -> None:
    """Their latest purchase that stands is given back."""
    mine = PointsEntry.campaign_id == campaign.id, PointsEntry.advocate_id == advocate.id
    gone = sa.select(PointsEntry.reverses_id).where(PointsEntry.reverses_id.is_not(None))
    stands = sa.select(PointsEntry).where(*mine, PointsEntry.reverses_id.is_(None), PointsEntry.id.not_in(gone))
    entry = session.scalars(stands.order_by(PointsEntry.id.desc()).limit(1)).one()
    write(session, [reversal_of(entry, "refund", f"refund:{entry.id}")])


def catch_up(session: Session) -> None:
    """The worker's rounds until there is nothing left to do."""
    while project(session, 500) + milestones(session, 500):
        session.flush()
        session.expire_all()
