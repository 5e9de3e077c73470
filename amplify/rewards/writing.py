"""A campaign and what it gives, written together: all of it or nothing."""

from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import CampaignIn
from amplify.rewards import services
from amplify.rewards.schemas import RewardIn


def create(session: Session, brand: Brand, data: CampaignIn, reward: RewardIn | None, actor: str) -> Campaign:
    """A draft with its reward, if any. Raises what `campaigns.services.create` and `services.attach` do."""
    campaign = campaigns.create(session, brand, data, actor)
    if reward is not None:
        services.attach(session, campaign, reward, actor)
    return campaign


def edit(
    session: Session, campaign: Campaign, data: CampaignIn, reward: RewardIn | None, actor: str, version: int
) -> Campaign:
    """Write over both, if nobody else has since `version` was read. Raises Conflict("version") if somebody has."""
    campaigns.edit(session, campaign, data, actor, version)
    if reward is None:
        services.detach(session, campaign, actor)
    else:
        services.attach(session, campaign, reward, actor)
    return campaign
