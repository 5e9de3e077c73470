"""What a start would do now: who gets it, who does not and why, and what it costs at most. Reads only."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.leaderboards.services import chosen
from amplify.rewards import caps
from amplify.rewards.eligibility import Candidate, allocate, judge
from amplify.rewards.models import Reward
from amplify.rewards.services import affordable, reward_of
from amplify.rewards.types import type_of


@dataclass(frozen=True)
class DryRun:
    """`candidates` are all the chosen, best first. Money in minor units of `currency`."""

    candidates: list[Candidate]
    currency: str
    value_minor: int = 0
    budget_minor: int | None = None
    codes_available: int | None = None

    @property
    def getting(self) -> list[Candidate]:
        return [one for one in self.candidates if one.rule is None]

    @property
    def left_out(self) -> list[Candidate]:
        return [one for one in self.candidates if one.rule is not None]

    @property
    def cost_minor(self) -> int:
        """At most: what is suppressed or unsubscribed between now and the start costs less."""
        return self.value_minor * len(self.getting)

    @property
    def codes_missing(self) -> int:
        """How many more codes it takes for everybody whom cap and budget allow."""
        return self.by_rule["no-code"]

    @property
    def by_rule(self) -> Counter[str]:
        return Counter(one.rule for one in self.candidates if one.rule)

    @property
    def by_language(self) -> Counter[str]:
        return Counter(one.locale for one in self.getting)


def dry_run(session: Session, campaign: Campaign) -> DryRun:
    """The start of this campaign, if it were now."""
    brand = session.get_one(Brand, campaign.brand_id)
    reward = reward_of(session, campaign)
    judged = judge(session, brand, reward, chosen(session, brand.id, campaign.audience, clock.now()))
    if reward is None:
        return DryRun(judged, brand.currency)
    codes = type_of(reward.type).available(session, reward)
    full = caps.full(session, reward, [one.advocate_id for one in judged if one.rule is None])
    for one in judged:
        if one.rule is None and one.advocate_id in full:
            one.rule = "cap-person"
    limits = [one for one in (reward.cap_pushes, caps.room(session, reward, clock.now())) if one is not None]
    allocate(judged, cap=min(limits, default=None), affordable=affordable(reward), codes=codes)
    return DryRun(
        candidates=judged,
        currency=reward.currency,
        value_minor=reward.value_minor,
        budget_minor=_left(reward),
        codes_available=codes,
    )


def _left(reward: Reward) -> int | None:
    return None if reward.budget_minor is None else reward.budget_minor - reward.spent_minor
