"""What an advocate is told about their rewards: of each start since they began, whether they got it, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards.models import Snapshot
from amplify.rewards import holdout
from amplify.rewards.models import ADVOCATE, LeftOut, Milestone, Push, Reward
from amplify.sharing.models import Advocate

SHOWN = 50
NOT_CHOSEN = "not-chosen"
WAITING = "waiting"
# The rules of `eligibility.RULES` as they are said to the person; what is not here is said as the last.
REASONS = {
    "no-email": _l("We knew no address of yours to send it to."),
    "no-consent": _l("You had not agreed to be written to."),
    "suppressed": _l("You had unsubscribed, or your mailbox refused our mail."),
    "unwanted": _l("You had asked not to be written to in any way that we have."),
    "excluded": _l("The brand had left you out of this one. You may ask it why."),
    "rewarded-recently": _l("You had been rewarded not long before."),
    "held": _l("Visits or purchases of yours are being checked. You find more under “Why do I stand here?”."),
    "refused": _l(
        "After a check, visits or purchases of yours did not count. See “Why do I stand here?”: you may answer."
    ),
    "milestone": _l("What it hangs on was not reached, or was taken back."),
    "cap-person": _l("You had got as many of these as one person may."),
    holdout.RULE: _l("Chance put you among the few who get nothing, so that the brand can measure what rewards bring."),
    "cap": _l("There were fewer rewards than people chosen, and others stood before you."),
    "over-budget": _l("There were fewer rewards than people chosen, and others stood before you."),
    "no-code": _l("There were fewer rewards than people chosen, and others stood before you."),
    "stopped": _l("The campaign was stopped before."),
}
OTHER = _l("It could not be given. You may ask the brand why.")
# A push's state as it is said to the person, and how good that is.
STATES = {
    "earned": (_l("You get it; it is on its way."), "accent"),
    "approved": (_l("You get it; it is on its way."), "accent"),
    "held": (_l("You get it once two people of the brand have agreed."), "accent"),
    "sent": (_l("You got it."), "good"),
    "redeemed": (_l("You got it and used it."), "good"),
    "expired": (_l("You got it; its last day is over."), ""),
    "failed": (_l("You should have got it, but it could not be delivered. The brand can try again."), "bad"),
    "revoked": (_l("It was taken back."), "bad"),
    "cancelled": (_l("It was called off before it left."), "bad"),
    "suppressed": (_l("It was held back before it left."), "bad"),
}


@dataclass(frozen=True)
class Told:
    """One reward that the person could have got. `rank`, `ranked` and `most` (how many were chosen; None: no number)
    are of a start; `step` of a milestone."""

    campaign: str
    reward: dict[str, str]
    at: datetime
    state: str
    reason: Any = ""
    rank: int | None = None
    ranked: int | None = None
    most: int | None = None
    step: int = 0


def told(session: Session, advocate: Advocate) -> list[Told]:
    """The newest first, at most SHOWN."""
    found = [*_given(session, advocate), *_left_out(session, advocate), *_steps(session, advocate)]
    found += _not_chosen(session, advocate)
    return sorted(found, key=lambda one: one.at, reverse=True)[:SHOWN]


def _given(session: Session, advocate: Advocate) -> Iterator[Told]:
    mine = sa.select(Push, Campaign.name, Reward.name, Snapshot.ranked).join(Campaign, Campaign.id == Push.campaign_id)
    mine = mine.join(Reward, Reward.id == Push.reward_id).outerjoin(Snapshot, Snapshot.id == Push.snapshot_id)
    newest = mine.where(Push.advocate_id == advocate.id).order_by(Push.id.desc()).limit(SHOWN)
    for push, campaign, reward, ranked in session.execute(newest):
        why = REASONS.get(push.reason, "") if push.state in ("suppressed", "cancelled") else ""
        rank = None if push.step else push.rank
        yield Told(campaign, reward, push.planned_at, push.state, why, rank, ranked, step=push.step)


def _left_out(session: Session, advocate: Advocate) -> Iterator[Told]:
    same = (Snapshot.campaign_id == LeftOut.campaign_id, Snapshot.occurrence == LeftOut.occurrence)
    mine = sa.select(LeftOut, Campaign.name, Reward.name, Snapshot.ranked).join(Snapshot, sa.and_(*same))
    mine = mine.join(Campaign, Campaign.id == LeftOut.campaign_id).join(Reward, _of_advocates())
    newest = mine.where(LeftOut.advocate_id == advocate.id).order_by(LeftOut.id.desc()).limit(SHOWN)
    for one, campaign, reward, ranked in session.execute(newest):
        yield Told(campaign, reward, one.at, "left_out", REASONS.get(one.rule, OTHER), one.rank, ranked)


def _steps(session: Session, advocate: Advocate) -> Iterator[Told]:
    """Milestones that were reached and for which there is no push."""
    mine = sa.select(Milestone, Campaign.name, Reward.name).join(Campaign, Campaign.id == Milestone.campaign_id)
    mine = mine.join(Reward, _of_advocates())
    open_ones = mine.where(Milestone.advocate_id == advocate.id, Milestone.push_id.is_(None))
    for one, campaign, reward in session.execute(open_ones.order_by(Milestone.id.desc()).limit(SHOWN)):
        is_said = one.state == "left_out" or one.rule == "held"
        why = REASONS.get(one.rule, OTHER) if is_said else ""
        yield Told(campaign, reward, one.reached_at, one.state, why, step=one.step)


def _not_chosen(session: Session, advocate: Advocate) -> Iterator[Told]:
    """Starts of the brand since they began that passed them by."""
    starts = sa.select(Snapshot, Campaign.name, Reward.name).join(Campaign, Campaign.id == Snapshot.campaign_id)
    starts = starts.join(Reward, _of_advocates())
    since = Snapshot.brand_id == advocate.brand_id, Snapshot.taken_at >= advocate.created_at
    missed = starts.where(*since, ~_is_among(Push, advocate), ~_is_among(LeftOut, advocate))
    for one, campaign, reward in session.execute(missed.order_by(Snapshot.taken_at.desc()).limit(SHOWN)):
        yield Told(campaign, reward, one.taken_at, NOT_CHOSEN, ranked=one.ranked, most=one.most)


def _of_advocates() -> Any:
    """What the campaign gives to those who lead others to the brand, not to their friends."""
    return sa.and_(Reward.campaign_id == Campaign.id, Reward.side == ADVOCATE)


def _is_among(model: Any, advocate: Advocate) -> sa.Exists:
    same = model.campaign_id == Snapshot.campaign_id, model.occurrence == Snapshot.occurrence
    return sa.exists().where(model.advocate_id == advocate.id, *same)
