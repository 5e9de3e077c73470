"""A shop asks for a friend's reward: one for each friend, whatever is repeated and whoever asks at the same time.

The row of the reward is locked, so that one question of a campaign is answered at a time; budget, caps, code, push and
the friend's row are one transaction. The code is handed out by the answer: there is nobody to write to.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.errors import Conflict, NotFound
from amplify.core.failpoints import reach
from amplify.core.i18n import best_language
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.delivery.disposable import is_disposable
from amplify.rewards import delivering
from amplify.rewards.eligibility import Candidate
from amplify.rewards.friends.judging import WAITS, Claim, first_rule, standing_in_the_way
from amplify.rewards.giving import give, take_codes
from amplify.rewards.models import FRIEND, Friend, Push, Reward
from amplify.rewards.settling import held_still
from amplify.rewards.states import DUE
from amplify.rewards.types import type_of
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.models import Click, Conversion

# Where their pushes stand in the ledger: no start gives them, and the shop hands them over.
OCCURRENCE, CHANNEL = 0, "shop"
# What a push that cannot be handed out any more is told as.
RULE_OF = {"failed": "failed", "expired": "expired"}


@dataclass(frozen=True)
class Question:
    """What the shop says: the click's token from the landing page, or the order that it told with one; and the friend's
    address, if it knows that it is theirs: `key_of` makes of it what may be stored."""

    click_id: uuid.UUID | None = None
    order_id: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class Answer:
    """What the friend gets: `push` with its code; else `rule` says why not (judging.RULES)."""

    campaign: Campaign
    reward: Reward
    locale: str
    push: Push | None
    rule: str = ""
    is_new: bool = False


def ask(
    session: Session, brand: Brand, question: Question, *, window_days: int, key_of: Callable[[str | None], str]
) -> Answer:
    """The friend's reward, given now or before, or the rule why there is none; both are noted. Commit in any case.

    Raises NotFound("click-unknown"), Conflict("nothing-for-friends"), and giving.Unsettled: roll back and ask again.
    """
    order = _order(session, brand.id, question.order_id)
    click, link = _visit(session, brand.id, question.click_id, order)
    campaign = held_still(session, link.campaign_id)
    mine = sa.select(Reward).where(Reward.campaign_id == campaign.id, Reward.side == FRIEND).with_for_update()
    reward = session.scalar(mine.execution_options(populate_existing=True))
    if reward is None:
        message = _l("This campaign gives friends nothing.")
        raise Conflict(message, field="click_id", rule="nothing-for-friends")
    claim = Claim(
        brand=brand, campaign=campaign, reward=reward, click=click, link=link, order=order,
        mailbox=key_of(question.email) or (order.buyer if order else ""), own_mailbox=key_of(_address(session, link)),
        is_disposable=bool(question.email) and is_disposable(question.email or "", brand.disposable_domains),
        window=timedelta(days=window_days), now=clock.now(),
    )  # fmt: skip
    return _answer(session, claim, best_language(click.language, link.locale))


def _answer(session: Session, claim: Claim, locale: str) -> Answer:
    known = _known(session, claim)
    push, rule = None, ""
    if known is not None and known.push_id is not None:
        is_another = known.mailbox and claim.mailbox not in ("", known.mailbox)
        push, rule = (None, "had-one") if is_another else _hand_over(session, claim, known.push_id)
    else:
        friend = _noted(session, claim, known, first_rule(session, claim) or "")
        if not friend.rule:
            _give(session, claim, friend, locale)
        rule = friend.rule
        if friend.push_id is not None:
            push, rule = _hand_over(session, claim, friend.push_id)
    session.flush()
    reach("friend-before-commit")
    is_new = push is not None and push.sent_at == claim.now
    return Answer(claim.campaign, claim.reward, locale, push, rule, is_new)


def _visit(
    session: Session, brand_id: int, token: uuid.UUID | None, order: Conversion | None
) -> tuple[Click, ShareLink]:
    """The click of this token, or of the order."""
    named = Click.token == token if token else Click.id == (order.click_id if order else None)
    mine = sa.select(Click, ShareLink).join(ShareLink, ShareLink.id == Click.link_id)
    found = session.execute(mine.where(named, ShareLink.brand_id == brand_id)).first()
    if found is None:
        raise NotFound(_l("There is no such visit."), field="click_id", rule="click-unknown")
    return found.Click, found.ShareLink


def _order(session: Session, brand_id: int, order_id: str | None) -> Conversion | None:
    mine = sa.select(Conversion).where(Conversion.brand_id == brand_id, Conversion.order_id == (order_id or ""))
    return session.scalar(mine)


def _address(session: Session, link: ShareLink) -> str | None:
    whose = sa.select(Customer.email).join(Advocate, Advocate.customer_id == Customer.id)
    return session.scalar(whose.where(Advocate.id == link.advocate_id))


def _visitor(claim: Claim) -> str:
    return claim.click.visitor or f"click:{claim.click.token}"


def _known(session: Session, claim: Claim) -> Friend | None:
    """Who asked before from this visit or with this mailbox: who has a push already, else who has the mailbox."""
    visitor = _visitor(claim)
    same = sa.or_(Friend.visitor == visitor, sa.and_(Friend.mailbox == claim.mailbox, Friend.mailbox != ""))
    found = session.scalars(sa.select(Friend).where(Friend.campaign_id == claim.campaign.id, same)).all()

    def order(one: Friend) -> tuple[bool, bool]:
        is_without = one.push_id is None
        return is_without, (one.visitor == visitor) == is_without

    return min(found, key=order, default=None)


def _noted(session: Session, claim: Claim, known: Friend | None, rule: str) -> Friend:
    """The friend's row, with the rule of now."""
    friend = known or Friend(brand_id=claim.brand.id, campaign_id=claim.campaign.id, visitor=_visitor(claim))
    friend.link_id, friend.rule, friend.asked_at = claim.link.id, rule, claim.now
    friend.mailbox = claim.mailbox or friend.mailbox
    friend.conversion_id = claim.order.id if claim.is_for_purchase and claim.order else None
    session.add(friend)
    session.flush()
    return friend


def _give(session: Session, claim: Claim, friend: Friend, locale: str) -> None:
    """A push with its code, budget and caps for the friend; the rule on their row, if there is no code."""
    reward, campaign = claim.reward, claim.campaign
    one = Candidate(claim.link.advocate_id, 0, locale)
    codes = take_codes(session, reward, [one])
    if one.rule is not None:
        friend.rule = one.rule
        return
    here = Push.campaign_id == campaign.id, Push.occurrence == OCCURRENCE
    rank = 1 + int(session.scalar(sa.select(sa.func.max(Push.rank)).where(*here)) or 0)
    shared = {"occurrence": OCCURRENCE, "snapshot_id": None, "step": 0, "channel": CHANNEL}
    columns: dict[str, Sequence[Any]] = {
        "rank": [rank],
        "advocate_id": [None],
        "provider_key": [f"{campaign.id}:friend:{friend.id}"],
    }
    give(session, claim.brand, reward, [one], codes, shared, columns)
    friend.push_id = next(iter(codes))
    if type_of(reward.type).provider is not None:
        delivering.order_later(session, campaign.id, OCCURRENCE, [rank])


def _hand_over(session: Session, claim: Claim, push_id: int) -> tuple[Push | None, str]:
    """The push, if the friend may see its code; from then on it counts as sent. Else the rule why not (yet)."""
    push = session.get_one(Push, push_id, populate_existing=True)
    if push.state in DUE:  # only then is it locked: who refuses what is held locks the reward second
        session.refresh(push, with_for_update=True)
    if push.state in ("sent", "redeemed"):
        return push, ""
    if push.state not in DUE:
        return None, WAITS if push.state == "held" else RULE_OF.get(push.state, "taken-back")
    if rule := standing_in_the_way(session, claim):
        return None, rule
    kind = type_of(claim.reward.type)
    if kind.provider is not None and push.ordered_at is None:
        return None, WAITS
    push.move("send")
    push.sent_at = claim.now
    kind.told(session, claim.reward, [push.id])
    return push, ""
