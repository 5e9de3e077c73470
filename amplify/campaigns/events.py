"""Facts about campaigns that other floors react to."""

from dataclasses import dataclass
from datetime import datetime

from amplify.campaigns.models import Campaign


@dataclass(frozen=True)
class CampaignStarted:
    """A campaign started, in the transaction that says so: it went live, or a live one repeats.

    `campaign.occurrence` counts the starts, `at` is the moment of this one.
    """

    campaign: Campaign
    at: datetime


@dataclass(frozen=True)
class CampaignStopped:
    """A campaign was stopped: what was not sent yet is cancelled."""

    campaign: Campaign


@dataclass(frozen=True)
class CampaignPaused:
    """A live campaign was paused: what has not left waits."""

    campaign: Campaign


@dataclass(frozen=True)
class CampaignReleased:
    """What waited during a pause may leave: the campaign was resumed, or it ended (a promise stays one)."""

    campaign: Campaign
