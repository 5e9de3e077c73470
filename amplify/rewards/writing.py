"""A campaign and what it gives, written together: all of it or nothing."""

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import history
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import CampaignIn
from amplify.campaigns.trace import record
from amplify.core import clock
from amplify.core.i18n import gettext as _
from amplify.rewards import services
from amplify.rewards.friends import terms
from amplify.rewards.friends.terms import FriendIn
from amplify.rewards.models import ADVOCATE, FRIEND, Reward
from amplify.rewards.schemas import RewardIn
from amplify.rewards.types import type_of

# What belongs to one campaign and its starts alone; whatever else it says, its copy says, too.
OWN = frozenset(
    {
        "id", "version", "state", "is_always_on", "holdout_key", "created_at", "created_by", "starts_local",
        "starts_at", "ends_local", "ends_at", "next_at", "occurrence", "started_at", "finished_at",
    }
)  # fmt: skip
OWN_OF_REWARD = frozenset({"id", "campaign_id", "created_at", "spent_minor", "stalled"})
# What staff write about a reward, besides its last day; its currency is the brand's.
FIELDS_OF_REWARD = (
    "type", "name", "value_minor", "budget_minor", "cap_pushes", "cap_total", "cap_day", "cap_person", "rule",
    "settings",
)  # fmt: skip


class Gifts(NamedTuple):
    """What a campaign gives to each of its two sides, if anything."""

    advocates: RewardIn | None = None
    friends: FriendIn | None = None


def create(session: Session, brand: Brand, data: CampaignIn, gifts: Gifts, actor: str) -> Campaign:
    """A draft with what it gives. Raises what `campaigns.services.create`, `services.attach` and `terms.attach` do."""
    campaign = campaigns.create(session, brand, data, actor)
    _attach(session, campaign, gifts, actor)
    return campaign


def edit(session: Session, campaign: Campaign, data: CampaignIn, gifts: Gifts, actor: str, version: int) -> Campaign:
    """Write over all of it, if nobody else has since `version` was read; what differs stands in the history.

    Raises Conflict("version") if somebody has, and what `campaigns.services.edit` and `create` do.
    """
    before = _terms(session, campaign)
    campaigns.edit(session, campaign, data, actor, version)
    if gifts.advocates is None:
        services.detach(session, campaign, actor)
    if gifts.friends is None:
        terms.detach(session, campaign, actor)
    _attach(session, campaign, gifts, actor)
    history.note(session, campaign, actor, before, _terms(session, campaign))
    return campaign


def clone(session: Session, campaign: Campaign, actor: str, name: str = "") -> Campaign:
    """A new draft that is like this one: everything but its state, its times, its starts and its codes.

    An end and a last day of the codes are kept while they lie ahead. Raises Conflict for the always-on campaign.
    """
    campaigns.refuse_always_on(campaign)
    kept = _columns(campaign, OWN) | {"name": name or _("%(name)s (copy)", name=campaign.name[:180])}
    if campaign.ends_at and campaign.ends_at > clock.now():
        kept |= {"ends_local": campaign.ends_local, "ends_at": campaign.ends_at}
    copy = Campaign(**kept, state="draft", created_by=actor)
    session.add(copy)
    session.flush()
    for side in (ADVOCATE, FRIEND):
        reward = services.reward_of(session, campaign, side)
        if reward is not None:
            _clone_reward(session, reward, copy)
    record(session, copy, actor, "created", copy_of=campaign.id)
    return copy


def _attach(session: Session, campaign: Campaign, gifts: Gifts, actor: str) -> None:
    if gifts.advocates is not None:
        services.attach(session, campaign, gifts.advocates, actor)
    if gifts.friends is not None:
        terms.attach(session, campaign, gifts.friends, actor)


def _clone_reward(session: Session, reward: Reward, copy: Campaign) -> None:
    kept = _columns(reward, OWN_OF_REWARD)
    if reward.expires_at and reward.expires_at <= clock.now():
        kept["expires_at"] = None
    made = Reward(**kept, campaign_id=copy.id, spent_minor=0)
    session.add(made)
    session.flush()
    type_of(made.type).prepare(session, made)


def _terms(session: Session, campaign: Campaign) -> dict[str, Any]:
    """What staff wrote about a campaign and what it gives."""
    found = history.terms(campaign)
    for side, above in ((ADVOCATE, "reward."), (FRIEND, terms.ABOVE)):
        reward = services.reward_of(session, campaign, side)
        if reward is not None:
            found |= history.flat(_given(campaign, reward), above)
    return found


def _given(campaign: Campaign, reward: Reward) -> dict[str, Any]:
    given = {name: getattr(reward, name) for name in FIELDS_OF_REWARD}
    if reward.expires_at:
        given["expires_on"] = services.last_day(reward.expires_at, campaign.timezone).isoformat()
    return given


def _columns(row: Any, own: frozenset[str]) -> dict[str, Any]:
    return {
        column.key: getattr(row, column.key) for column in sa.inspect(type(row)).column_attrs if column.key not in own
    }
