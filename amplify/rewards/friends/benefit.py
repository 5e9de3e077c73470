"""What a campaign offers to friends now, for share pages, previews and the dry run: nothing is promised that cannot be
given."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.i18n import best_language
from amplify.rewards import caps, services
from amplify.rewards.friends.terms import of
from amplify.rewards.models import FRIEND, Reward
from amplify.rewards.services import affordable
from amplify.rewards.types import type_of


def offered(session: Session, campaign: Campaign, locale: str) -> str:
    """Its name in this language, else in the brand's; "" while the campaign is not live or there is nothing left."""
    reward = of(session, campaign) if campaign.is_rewarded and campaign.takes_shares else None
    if reward is None or enough_for(session, reward) == 0:
        return ""
    default = best_language(session.get_one(Brand, campaign.brand_id).default_locale)
    return str(reward.name.get(locale) or reward.name.get(default, ""))


def enough_for(session: Session, reward: Reward) -> int | None:
    """How many more there are for, today: by budget, caps, codes and last day; None: as many as come."""
    now = clock.now()
    if reward.expires_at is not None and reward.expires_at <= now:
        return 0
    codes = type_of(reward.type).available(session, reward)
    return caps.lower(caps.room(session, reward, now), affordable(reward), codes)


@dataclass(frozen=True)
class FriendsDryRun:
    """What friends could cost: for how many there is enough in all and on one day (None: no limit set). Money in minor
    units."""

    reward: Reward
    enough_for: int | None
    a_day: int | None
    codes: int | None

    @property
    def cost_minor(self) -> int | None:
        """At most, in all; None: nothing limits it."""
        return None if self.enough_for is None else self.enough_for * self.reward.value_minor

    @property
    def cost_a_day_minor(self) -> int | None:
        """At most, on one day; None: nothing limits it."""
        return None if self.a_day is None else self.a_day * self.reward.value_minor


def friends_dry_run(session: Session, campaign: Campaign) -> FriendsDryRun | None:
    """What the friends' side could cost from now on; None: friends get nothing."""
    reward = of(session, campaign)
    if reward is None:
        return None
    codes = services.codes_left(session, campaign, FRIEND)  # patterns last for more than anybody would give
    total = None if reward.cap_total is None else caps.left_of(session, reward, reward.cap_total)
    enough = caps.lower(total, affordable(reward), codes)
    return FriendsDryRun(reward, enough, caps.lower(reward.cap_day, enough), codes)
