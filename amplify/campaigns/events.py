"""Facts about campaigns that other floors react to."""

from dataclasses import dataclass

from amplify.campaigns.models import Campaign


@dataclass(frozen=True)
class CampaignStarted:
    """A scheduled campaign went live, in the transaction that says so. `campaign.occurrence` counts the starts."""

    campaign: Campaign


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
