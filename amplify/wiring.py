"""Who reacts to what, what the durable engine runs, what the worker does each round: the whole flow on one screen."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from amplify.asks import reactions as asks
from amplify.asks import services as ask_mail
from amplify.asks.services import next_step_for
from amplify.asks.services import withheld as ask_withheld
from amplify.brands.events import RiskPolicyChanged, ScoringChanged
from amplify.campaigns import services as campaigns
from amplify.campaigns.events import CampaignPaused, CampaignReleased, CampaignStarted, CampaignStopped
from amplify.campaigns.queries import upcoming
from amplify.core import events, partitions
from amplify.core.alarms import Alarm
from amplify.core.jobs import Job
from amplify.core.tokens import Signer
from amplify.customers.events import PersonErased
from amplify.customers.reactions import on_resubscribed, on_unsubscribed, on_wishes_changed
from amplify.delivery import form_letters, objections
from amplify.delivery.events import (
    MessageNotSent,
    MessageReturned,
    MessagesSent,
    Resubscribed,
    Unsubscribed,
    WishesChanged,
)
from amplify.delivery.jobs import deliver_messages, release_due
from amplify.fraud import reactions as fraud
from amplify.fraud.events import HoldsChanged
from amplify.fraud.scoring import assess
from amplify.leaderboards import corrections, set_aside
from amplify.leaderboards import reactions as points
from amplify.leaderboards.making import make, on_scoring_changed, remove_replaced
from amplify.leaderboards.services import project
from amplify.leaderboards.windows import fold_windows
from amplify.rewards import mail as reward_mail
from amplify.rewards import reactions as rewards
from amplify.rewards import reviewing
from amplify.rewards.delivering import deliver_pushes
from amplify.rewards.delivering import withheld as reward_withheld
from amplify.rewards.expiring import expire
from amplify.rewards.friends import benefit
from amplify.rewards.friends import reactions as friends
from amplify.rewards.milestones import milestones
from amplify.rewards.planning import plan_pushes
from amplify.sharing import benefits, outcomes
from amplify.sharing.events import ShareConfirmed, ShareOpened, SharePageShown, ShareUnconfirmed
from amplify.sharing.tokens import PURPOSE
from amplify.surveys import next_step
from amplify.surveys import reactions as surveys
from amplify.surveys.events import SurveyAnswered
from amplify.surveys.import_job import work as import_answers
from amplify.surveys.uploads import clear_away
from amplify.tracking.events import ClicksReclassified, ConversionRefunded, Converted, HumansClicked, OrderClaimed
from amplify.tracking.queries import outcomes as clicks_and_orders
from amplify.tracking.reclassify import reclassify
from amplify.tracking.retention import remove_old_clicks
from amplify.tracking.services import track
from amplify.tracking.visitors import forget_salts

# Fact -> who reacts, in this order, in the publisher's transaction.
REACTIONS: Mapping[type, Sequence[events.Reaction]] = {
    ScoringChanged: (on_scoring_changed,),
    PersonErased: (surveys.on_erased,),
    SurveyAnswered: (asks.on_answered,),
    SharePageShown: (asks.on_share_page_shown,),
    ShareOpened: (asks.on_share_opened,),
    Unsubscribed: (on_unsubscribed,),
    Resubscribed: (on_resubscribed,),
    WishesChanged: (on_wishes_changed,),
    ShareConfirmed: (corrections.on_share_confirmed,),
    ShareUnconfirmed: (corrections.on_share_unconfirmed,),
    HumansClicked: (points.on_human_clicks, set_aside.on_human_clicks, fraud.on_human_clicks),
    ClicksReclassified: (
        corrections.on_clicks_reclassified,
        set_aside.on_clicks_reclassified,
        fraud.on_clicks_reclassified,
    ),
    Converted: (points.on_converted, set_aside.on_converted, fraud.on_converted),
    ConversionRefunded: (points.on_refunded, fraud.on_refunded, friends.on_refunded),
    OrderClaimed: (fraud.on_order_claimed,),
    RiskPolicyChanged: (fraud.on_risk_policy_changed,),
    HoldsChanged: (set_aside.on_holds_changed, reviewing.on_holds_changed),
    CampaignStarted: (rewards.on_started,),
    CampaignPaused: (rewards.on_paused,),
    CampaignReleased: (rewards.on_released,),
    CampaignStopped: (rewards.on_stopped,),
    MessagesSent: (rewards.on_messages_sent,),
    MessageNotSent: (rewards.on_message_not_sent,),
    MessageReturned: (rewards.on_message_returned,),
}

# Worker round: each takes (session, limit) and returns how many rows it moved; 0 means nothing to do.
# Each round has a lease of its own and one transaction per call; one worker at a time runs it.
ROUNDS: Sequence[Callable[[Session, int], int]] = (
    track,
    assess,
    project,
    fold_windows,
    make,
    remove_replaced,
    milestones,
    reclassify,
    release_due,
    expire,
    forget_salts,
    clear_away,
    remove_old_clicks,
)

# What the durable engine runs (core.jobs): named here so that every worker knows it.
JOBS: Sequence[Job] = (import_answers, plan_pushes, deliver_pushes, deliver_messages)

# What may forbid a message that was ordered, asked again at the moment of sending, besides the suppression list.
OBJECTIONS: Sequence[objections.Objection] = (ask_withheld, reward_withheld)

# Template of messages -> the words in it that are the reader's own: what else it says is rendered once for many.
OWN_WORDS: Mapping[str, Sequence[str]] = {
    ask_mail.TEMPLATE: ask_mail.OWN_WORDS,
    reward_mail.TEMPLATE: reward_mail.OWN_WORDS,
}

# What the clock rings for: when it is due next, and what to do then. Late rings still ring; ringing twice is harmless.
ALARMS: Sequence[Alarm] = (
    Alarm("campaigns", upcoming, campaigns.ring),
    Alarm("months", partitions.upcoming, partitions.open_months),
)


def install(signer: Callable[[str], Signer]) -> None:
    """Connect the floors (once, at start)."""
    events.wire(REACTIONS)
    outcomes.wire(clicks_and_orders)
    benefits.wire(benefit.offered)
    objections.wire(OBJECTIONS)
    form_letters.wire(OWN_WORDS)
    next_step.wire(lambda session, response: next_step_for(session, response, signer(PURPOSE)))
