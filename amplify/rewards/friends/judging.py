"""Whether a friend gets the reward now: every rule that stands in the way, in the order in which they are looked at."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core.i18n import lazy_gettext as _l
from amplify.fraud import holds
from amplify.fraud.models import RiskTouch
from amplify.rewards import caps
from amplify.rewards.models import Reward
from amplify.rewards.services import affordable
from amplify.sharing.models import ShareLink
from amplify.tracking.conversions import ATTRIBUTED, PENDING
from amplify.tracking.models import Click, ClickVerdict, Conversion
from amplify.tracking.verdicts import OF_A_PERSON

# Not decided yet: ask again in a moment. The other rules are told as a refusal.
WAITS = "pending"
# Every reason for giving nothing, as a sentence for the shop and for staff. Names are stored.
RULES = {
    WAITS: _l("It is not decided yet. Ask again in a moment."),
    "not-a-person": _l("The visit was not a person's."),
    "own-visit": _l("The visit was the advocate's own."),
    "campaign-paused": _l("The campaign is paused. Ask again when it goes on."),
    "campaign-ended": _l("The campaign had ended by then."),
    "campaign-stopped": _l("The campaign was stopped."),
    "link-ended": _l("The link is not in use any more."),
    "outside-window": _l("The visit is too long ago."),
    "held": _l("The link or the order is being checked. Ask again later."),
    "refused": _l("The link was refused after a check."),
    "order-unknown": _l("There is no such order, or it did not come from this visit."),
    "order-not-attributed": _l("The order does not belong to this link."),
    "order-refunded": _l("The order was given back."),
    "own-mailbox": _l("The friend and the advocate have the same mailbox."),
    "disposable": _l("The mailbox is a throw-away one."),
    "not-new": _l("Somebody with this mailbox has bought before."),
    "had-one": _l("Somebody else got one by this visit: there is no second one."),
    "cap-advocate": _l("As many friends of this advocate as may have had one."),
    "cap": _l("As many as may be given have been given, for today or for good."),
    "over-budget": _l("The budget is used up."),
    "no-code": _l("There is no code left."),
    "expired": _l("The last day of this reward is over."),
    "failed": _l("The shop's system refused to make the code."),
    "taken-back": _l("The reward was taken back."),
}


@dataclass(frozen=True)
class Claim:
    """A friend's question with everything it is judged by. `mailbox` and `own_mailbox` (the advocate's): keyed hashes,
    "" where unknown."""

    brand: Brand
    campaign: Campaign
    reward: Reward
    click: Click
    link: ShareLink
    order: Conversion | None
    mailbox: str
    own_mailbox: str
    is_disposable: bool
    window: timedelta
    now: datetime

    @property
    def is_for_purchase(self) -> bool:
        return bool(self.reward.rule["when"] == "purchase")

    @property
    def moment(self) -> datetime:
        """What decides whether the campaign still ran: when they bought, or when they came."""
        return self.order.occurred_at if self.is_for_purchase and self.order else self.click.at


def standing_in_the_way(session: Session, claim: Claim) -> str | None:
    """The first rule about the visit, the campaign, the link and the order; looked at again before a code is shown."""
    return _about_visit(session, claim) or _about_campaign(claim) or _about_checks(session, claim)


def first_rule(session: Session, claim: Claim) -> str | None:
    """The first rule of RULES that stands in the way; None: give it. Codes are looked at by whoever takes them."""
    return standing_in_the_way(session, claim) or _about_friend(session, claim) or _about_what_there_is(session, claim)


def _about_visit(session: Session, claim: Claim) -> str | None:
    verdict = session.scalar(sa.select(ClickVerdict.verdict).where(ClickVerdict.click_id == claim.click.id))
    if verdict is None:
        return WAITS
    if verdict not in OF_A_PERSON:
        return "own-visit" if verdict == "self" else "not-a-person"
    return _about_order(session, claim) if claim.is_for_purchase else _about_time(claim)


def _about_time(claim: Claim) -> str | None:
    return "outside-window" if claim.now > claim.click.at + claim.window else None


def _about_order(session: Session, claim: Claim) -> str | None:
    order = claim.order
    if order is None or order.click_id != claim.click.id:
        return "order-unknown"
    if order.attribution == PENDING:
        return WAITS
    if order.attribution != ATTRIBUTED:
        return "order-not-attributed"
    return "order-refunded" if order.refunded_at else None


def _about_campaign(claim: Claim) -> str | None:
    campaign = claim.campaign
    if campaign.state in ("paused", "stopped"):
        return f"campaign-{campaign.state}"
    if campaign.finished_at is not None and claim.moment > campaign.finished_at:
        return "campaign-ended"
    return "link-ended" if claim.link.disabled_at else None


def _about_checks(session: Session, claim: Claim) -> str | None:
    """Whoever is being checked brings nobody a reward; an order counts once the worker has looked at it."""
    found = holds.in_force(session, [claim.link.advocate_id]).get(claim.link.advocate_id)
    if found is not None and found.whole:
        return found.whole
    if not claim.is_for_purchase or claim.order is None:
        return None
    if found is not None and found.cover_order(claim.order.id):
        return "held"
    unseen = sa.exists().where(RiskTouch.advocate_id == claim.link.advocate_id)
    return WAITS if session.scalar(sa.select(unseen)) else None


def _about_friend(session: Session, claim: Claim) -> str | None:
    if claim.mailbox and claim.mailbox == claim.own_mailbox:
        return "own-mailbox"
    if claim.is_disposable:
        return "disposable"
    return "not-new" if claim.reward.rule["new_only"] and _has_bought(session, claim) else None


def _has_bought(session: Session, claim: Claim) -> bool:
    theirs = Conversion.brand_id == claim.brand.id, Conversion.buyer == claim.mailbox, Conversion.buyer != ""
    others = Conversion.id != (claim.order.id if claim.order else 0)
    return bool(session.scalar(sa.select(sa.exists().where(*theirs, others))))


def _about_what_there_is(session: Session, claim: Claim) -> str | None:
    reward = claim.reward
    if reward.expires_at is not None and reward.expires_at <= claim.now:
        return "expired"
    if reward.cap_person is not None and session.scalar(sa.select(caps.is_full(reward, claim.link.advocate_id))):
        return "cap-advocate"
    if caps.room(session, reward, claim.now) == 0:
        return "cap"
    return "over-budget" if affordable(reward) == 0 else None
