"""What a campaign gives: attaching a reward, checking it against the brand's rules, and redeeming what was given."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from amplify.accounts import audit
from amplify.brands.models import Brand
from amplify.campaigns import policy, recurrence
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.errors import Conflict, Invalid, NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.models import ADVOCATE, FRIEND, Push, Reward, RewardCode
from amplify.rewards.rules import check_rule
from amplify.rewards.schemas import RewardIn
from amplify.rewards.types import registry, type_of

# What was promised stays as promised: once pushes may exist, only these may still change.
FREE_ONCE_LIVE = ("budget_minor", "cap_pushes", "cap_total", "cap_day")


def reward_of(session: Session, campaign: Campaign, side: str = ADVOCATE) -> Reward | None:
    """What the campaign gives to this side, if anything."""
    return session.scalar(sa.select(Reward).where(Reward.campaign_id == campaign.id, Reward.side == side))


def attach(session: Session, campaign: Campaign, data: RewardIn, actor: str) -> Reward:
    """Give the campaign this reward for advocates, or change the one it has. Marks the campaign as rewarded.

    Raises Forbidden for a trigger that pays for acts or opinions and for a campaign without its disclosure;
    Invalid for a currency that is not the brand's, a budget below one reward, or starts after its last day; Conflict
    for what a start has fixed.
    """
    return write_side(session, campaign, data, ADVOCATE, check_rule(campaign, data), actor)


def write_side(
    session: Session, campaign: Campaign, data: RewardIn, side: str, rule: dict[str, Any], actor: str
) -> Reward:
    """The same for either side, with a rule that was checked. Raises what `attach` does."""
    brand = session.get_one(Brand, campaign.brand_id)
    new = _checked(brand, campaign, data) | {"rule": rule}
    reward = reward_of(session, campaign, side)
    if reward is None:
        reward = Reward(brand_id=brand.id, campaign_id=campaign.id, side=side, spent_minor=0)
        _refuse_started(campaign, ["type"])
    changed = [name for name, value in new.items() if getattr(reward, name, None) != value]
    _refuse_started(campaign, changed)
    for name in changed:
        setattr(reward, name, new[name])
    _refuse_below_spent(reward)
    session.add(reward)
    session.flush()
    type_of(reward.type).prepare(session, reward)
    _mark(session, campaign, is_rewarded=True, has_changed=bool(changed))
    if changed:
        detail = {"changed": changed, "side": side}
        audit.record(session, brand.id, actor, "reward.attached", "campaign", campaign.id, detail)
    return reward


def detach(session: Session, campaign: Campaign, actor: str, side: str = ADVOCATE) -> None:
    """Take a side's reward away before any start; its unused codes go with it. Raises Conflict after a start."""
    reward = reward_of(session, campaign, side)
    if reward is None:
        return
    _refuse_started(campaign, ["type"])
    session.execute(sa.delete(RewardCode).where(RewardCode.reward_id == reward.id, RewardCode.push_id.is_(None)))
    session.delete(reward)
    session.flush()
    is_rewarded = any(reward_of(session, campaign, one) for one in (ADVOCATE, FRIEND))
    _mark(session, campaign, is_rewarded=is_rewarded, has_changed=True)
    audit.record(session, campaign.brand_id, actor, "reward.detached", "campaign", campaign.id, {"side": side})


def spend(session: Session, reward: Reward, amount_minor: int) -> bool:
    """Take an amount out of the budget if it is still in it; the database decides, whoever else takes meanwhile."""
    fits = sa.or_(Reward.budget_minor.is_(None), Reward.spent_minor + amount_minor <= Reward.budget_minor)
    taken = sa.update(Reward).where(Reward.id == reward.id, fits).values(spent_minor=Reward.spent_minor + amount_minor)
    return _took(session, reward, taken)


def release(session: Session, reward: Reward, amount_minor: int) -> None:
    """Put back what was not given after all."""
    back = sa.update(Reward).where(Reward.id == reward.id, Reward.spent_minor >= amount_minor)
    if not _took(session, reward, back.values(spent_minor=Reward.spent_minor - amount_minor)):
        raise RuntimeError(f"reward {reward.id}: more would be put back than was spent")


def affordable(reward: Reward) -> int | None:
    """How many more the budget allows; None: as many as you like."""
    if reward.budget_minor is None or reward.value_minor == 0:
        return None
    return (reward.budget_minor - reward.spent_minor) // reward.value_minor


def codes_left(session: Session, campaign: Campaign, side: str = ADVOCATE) -> int | None:
    """How many uploaded codes are still free; None where nothing is uploaded."""
    reward = reward_of(session, campaign, side)
    if reward is None or not type_of(reward.type).takes_upload:
        return None
    return type_of(reward.type).available(session, reward)


def redeem(session: Session, brand_id: int, code: str, actor: str) -> tuple[Push, bool]:
    """The push of this code, redeemed; True if this call did it, False if it was before (nothing changes then).

    Raises NotFound for a code nobody got, Conflict for one that was taken back, and for one that has expired.
    """
    push = _push_with(session, brand_id, code.strip())
    if push is None:
        raise NotFound(_l("Nobody was given this code."), field="code", rule="code-unknown")
    if push.state == "redeemed":
        return push, False
    _refuse_unredeemable(push, clock.now())
    push.move("redeem")
    push.redeemed_at = clock.now()
    push.sent_at = push.sent_at or push.redeemed_at  # whoever shows the code has got the mail
    session.flush()
    audit.record(session, brand_id, actor, "push.redeemed", "push", push.id, {})
    return push, True


def revoke(session: Session, brand_id: int, code: str, actor: str) -> Push:
    """Take back what was given (a purchase given back, fraud): its code is refused from now on. The amount stays on the
    books: it was given once. Raises NotFound, or Conflict for one that is redeemed, or was never sent."""
    push = _push_with(session, brand_id, code.strip())
    if push is None:
        raise NotFound(_l("Nobody was given this code."), field="code", rule="code-unknown")
    if push.state != "revoked":
        push.move("revoke")
        push.reason = "taken back by staff"
        session.flush()
        audit.record(session, brand_id, actor, "push.revoked", "push", push.id, {})
    return push


def _push_with(session: Session, brand_id: int, code: str) -> Push | None:
    """The push with this code, locked: each type knows where its codes went."""
    owners = [kind.owner(session, brand_id, code) for kind in registry().values()]
    own = sa.select(Push).where(Push.id.in_(filter(None, owners)), Push.brand_id == brand_id, Push.code == code)
    return session.scalar(own.with_for_update())


def _refuse_unredeemable(push: Push, now: datetime) -> None:
    if push.state in ("cancelled", "suppressed", "revoked"):
        raise Conflict(_l("This code was taken back."), field="code", rule="code-cancelled")
    if push.state == "expired" or (push.reward.expires_at and push.reward.expires_at <= now):
        raise Conflict(_l("This code has expired."), field="code", rule="code-expired")


def _took(session: Session, reward: Reward, change: sa.Update) -> bool:
    done = session.scalar(change.returning(Reward.id).execution_options(synchronize_session=False))
    session.refresh(reward, ["spent_minor"])
    return done is not None


def _checked(brand: Brand, campaign: Campaign, data: RewardIn) -> dict[str, Any]:
    """The columns these data make, once everything about them is checked."""
    if campaign.is_always_on:
        raise Conflict(_l("The always-on campaign rewards nobody."), field="type", rule="always-on")
    if data.currency != brand.currency:
        raise Invalid(
            "currency",
            "currency-of-brand",
            _l("The brand's money is %(currency)s; a reward is counted in the same.", currency=brand.currency),
        )
    if data.budget_minor is not None and data.budget_minor < data.value_minor:
        raise Invalid("budget_minor", "budget-below-value", _l("The budget is less than one reward."))
    if not data.name.get(brand.default_locale):  # type: ignore[call-overload]  # another language has none either
        raise Invalid(f"name.{brand.default_locale}", "required", _l("Say what is given, in the brand's language."))
    policy.check_disclosure(campaign.texts, policy.spoken(campaign.texts, brand.default_locale))
    expires_at = end_of(data.expires_on, campaign.timezone) if data.expires_on else None
    _refuse_outlived(campaign, expires_at)
    return {
        "type": data.type, "name": dict(data.name), "value_minor": data.value_minor, "currency": data.currency,
        "budget_minor": data.budget_minor, "cap_pushes": data.cap_pushes,
        "cap_total": data.cap_total, "cap_day": data.cap_day, "cap_person": data.cap_person,
        "settings": type_of(data.type).read_settings(data.settings),
        "expires_at": expires_at,
    }  # fmt: skip


def _refuse_outlived(campaign: Campaign, expires_at: datetime | None) -> None:
    """No start gives what is over already."""
    if not campaign.repeats or expires_at is None:
        return
    first, zone, last = campaign.starts_local, campaign.timezone, expires_at - timedelta(seconds=1)
    if recurrence.upcoming(campaign.repeats, first, zone, last, campaign.ends_at, 1):
        message = _l(
            "It would still start after the last day of the codes. End the repetition before, or choose a later day."
        )
        raise Invalid("repeats.until", "after-last-day", message)


def end_of(day: date, zone: str) -> datetime:
    """The instant at which a day is over in a zone."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)


def last_day(instant: datetime, zone: str) -> date:
    """The day that `end_of` made this instant from."""
    return (instant - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).date()


def _refuse_started(campaign: Campaign, changed: list[str]) -> None:
    fixed = next((name for name in changed if name not in FREE_ONCE_LIVE), None)
    if campaign.state in ("ended", "stopped") and changed:
        fixed = changed[0]
    if fixed and campaign.state not in ("draft", "scheduled"):
        raise Conflict(
            _l("What was promised stays as promised: once a campaign has started, only budget and cap may change."),
            field=fixed,
            rule="fixed-once-live",
        )


def _refuse_below_spent(reward: Reward) -> None:
    if reward.budget_minor is not None and reward.budget_minor < reward.spent_minor:
        raise Invalid("budget_minor", "budget-below-spent", _l("More than this is spent already."))


def _mark(session: Session, campaign: Campaign, *, is_rewarded: bool, has_changed: bool) -> None:
    """A change of the reward is one of the campaign: its version grows, so that a second editor is told."""
    campaign.is_rewarded = is_rewarded
    if has_changed:
        flag_modified(campaign, "is_rewarded")
    session.flush()
