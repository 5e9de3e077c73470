"""What a start would do now: who gets it, when and in which language, who does not and why, and what it costs at most.

Counted in the database by the same function that the plan goes by. Reads only.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.delivery.pacing import asleep_until, full_since
from amplify.leaderboards.services import choice
from amplify.rewards import caps
from amplify.rewards.approving import first_state
from amplify.rewards.eligibility import Candidate, Languages, Limits, Start, judged, to_be_shown, way_to
from amplify.rewards.models import Reward
from amplify.rewards.reaching import PERSON, SMS
from amplify.rewards.services import affordable, reward_of
from amplify.rewards.types import type_of

SHOWN = 200
FOUR_EYES = "four-eyes"
# Why a reward that is given does not leave at once, as a sentence for staff.
WAITS = {
    FOUR_EYES: _l("Waits until two people have agreed."),
    "quiet-hours": _l("Sleeps now: it leaves after the quiet hours."),
    "frequency-cap": _l("Was written to often enough: it leaves when there is room again."),
}


@dataclass(frozen=True)
class DryRun:
    """`by_rule`: how many of the `chosen` are left out by which rule. `by_language`, `by_channel` and `by_day` (in
    the campaign's time zone; not of what waits for two people) count those who get it, `waiting` those of them for
    whom it does not leave at once, by the rule of WAITS. Money in minor units. `first`: the best of the chosen."""

    chosen: int
    getting: int
    by_rule: Counter[str]
    currency: str
    value_minor: int = 0
    budget_minor: int | None = None
    codes_available: int | None = None
    by_language: Counter[str] = field(default_factory=Counter)
    by_channel: Counter[str] = field(default_factory=Counter)
    by_day: Counter[date] = field(default_factory=Counter)
    # Language -> how many of them get it as a text message.
    by_sms: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    first: list[Candidate] = field(default_factory=list)
    # Of a milestone: no start gives it, so nobody is chosen; for how many there is enough now (None: no limit).
    is_milestone: bool = False
    enough_for: int | None = None

    @property
    def cost_minor(self) -> int:
        """At most: what is suppressed or unsubscribed between now and the start costs less."""
        return self.value_minor * self.getting

    @property
    def cost_now_minor(self) -> int:
        """Of that, what leaves at once."""
        return self.value_minor * (self.getting - self.waiting.total())

    @property
    def cost_by_day(self) -> dict[date, int]:
        return {day: self.value_minor * count for day, count in sorted(self.by_day.items())}

    @property
    def codes_missing(self) -> int:
        """How many more codes it takes for everybody whom cap and budget allow."""
        return self.by_rule["no-code"]


def dry_run(session: Session, campaign: Campaign, shown: int = SHOWN) -> DryRun:
    """The start of this campaign, if it were now; the first `shown` of the chosen by name."""
    return _Counting(session, campaign).run(shown)


def people(session: Session, campaign: Campaign) -> Iterator[Candidate]:
    """Every one of the chosen, best first, as the start would judge them now."""
    return _Counting(session, campaign).people()


class _Counting:
    """One dry run: what it rests on, read once."""

    def __init__(self, session: Session, campaign: Campaign) -> None:
        self.session = session
        self.now = clock.now()
        self.reward = reward_of(session, campaign)
        brand = session.get_one(Brand, campaign.brand_id)
        self.start = Start(brand, campaign, self.reward, campaign.occurrence + 1, self.now)
        self.choice = choice(session, brand.id, campaign.audience, self.now)

    @cached_property
    def codes(self) -> int | None:
        return type_of(self.reward.type).available(self.session, self.reward) if self.reward else None

    @cached_property
    def budgets(self) -> Any:
        """How often people may be written to."""
        return full_since(self.start.brand, PERSON, self.now)

    @cached_property
    def needs_approval(self) -> bool:
        """Whether what is given waits for two people."""
        return self.reward is not None and first_state(self.session, self.reward) == "held"

    @cached_property
    def limits(self) -> Limits:
        if self.reward is None:
            return Limits()
        cap = caps.lower(self.reward.cap_pushes, caps.room(self.session, self.reward, self.now))
        return Limits(cap, affordable(self.reward), self.codes)

    def run(self, shown: int) -> DryRun:
        if self.reward is not None and self.reward.is_milestone:
            return self._of_milestone()
        counts = self._counts()
        by_rule = Counter[str]()
        for (rule, *_group), count in counts.items():
            by_rule[rule or ""] += count
        chosen, eligible = by_rule.total(), by_rule.pop("", 0)
        getting, beyond = self.limits.cut(eligible)
        groups = counts if getting == eligible else self._counts(first=getting)
        first = list(self.people(shown))
        return DryRun(
            chosen=chosen, getting=getting, by_rule=by_rule + beyond, codes_available=self.codes,
            **_money(self.start.brand, self.reward), **self._groups(groups), first=first,
        )  # fmt: skip

    def _of_milestone(self) -> DryRun:
        enough = caps.lower(*(most for _name, most in self.limits.named))
        money = _money(self.start.brand, self.reward)
        return DryRun(0, 0, Counter(), codes_available=self.codes, is_milestone=True, enough_for=enough, **money)

    def people(self, first: int | None = None) -> Iterator[Candidate]:
        if self.choice is None or (self.reward is not None and self.reward.is_milestone):
            return iter(())
        best = self.choice.limit(first).subquery()
        return self.limits.allocate(to_be_shown(self.session, self.start, best, first))

    def _counts(self, first: int | None = None) -> Counter[tuple[Any, ...]]:
        """(rule, channel, language tag, time zone, and for each budget the minute that `full_since` names) -> how many
        of the chosen, or of the `first` so many who are eligible."""
        if self.choice is None:
            return Counter()
        full = [_in_minutes(at).label(f"full_{n}") for n, (at, _days) in enumerate(self.budgets)]
        about = way_to(self.session, self.start), Customer.timezone, *full
        them = judged(self.session, self.start, self.choice.subquery(), about).subquery().c
        rows = sa.select(them.rule, them.channel, them.locale, them.timezone, *(them[column.name] for column in full))
        if first is not None:
            rows = rows.where(them.rule.is_(None)).order_by(them.rank).limit(first)
        keys = rows.subquery().c
        grouped = sa.select(*keys, sa.func.count()).group_by(*keys)
        return Counter({tuple(group): count for *group, count in self.session.execute(grouped)})

    def _groups(self, groups: Counter[tuple[Any, ...]]) -> dict[str, Any]:
        """Those who get it, by language, by channel, by the day on which it leaves, and how many wait by which rule."""
        languages, zone = Languages(self.start.brand), ZoneInfo(self.start.campaign.timezone)
        by_language, by_channel, by_day = Counter[str](), Counter[str](), Counter[date]()
        waiting, by_sms = Counter[str](), Counter[str]()
        for (rule, channel, locale, *wait), count in groups.items():
            if rule is None:
                by_language[languages[locale]] += count
                by_channel[channel] += count
                by_sms[languages[locale]] += count if channel == SMS else 0
                why, leaves = self._leaves(channel, *wait)
                waiting[why] += count
                if why != FOUR_EYES:
                    by_day[leaves.astimezone(zone).date()] += count
        del waiting[""]
        told = {"by_language": by_language, "by_channel": by_channel, "by_day": by_day, "waiting": waiting}
        return told | {"by_sms": +by_sms}

    def _leaves(self, channel: str, timezone: str | None, *full: int | None) -> tuple[str, datetime]:
        """What one of them waits for longest, and until when; as `delivery.pacing` decides when it is to be sent."""
        if self.needs_approval:
            return FOUR_EYES, self.now
        brand, morning = self.start.brand, asleep_until(self.start.brand, channel, timezone, self.now)
        why, leaves = ("quiet-hours", morning) if morning else ("", self.now)
        budgets = zip(full, self.budgets, strict=True)
        room = [_minute(at + 1) + days for at, (_column, days) in budgets if at is not None]
        if room and max(room) > leaves:
            why, leaves = "frequency-cap", max(room)
        return why, asleep_until(brand, channel, timezone, leaves) or leaves


def _in_minutes(instant: Any) -> sa.ColumnElement[int]:
    """Since 1970: coarse enough to be counted by."""
    return sa.cast(sa.extract("epoch", instant), sa.BigInteger) // 60


def _minute(number: int) -> datetime:
    return datetime.fromtimestamp(number * 60, UTC)


def _money(brand: Brand, reward: Reward | None) -> dict[str, Any]:
    if reward is None:
        return {"currency": brand.currency}
    left = None if reward.budget_minor is None else reward.budget_minor - reward.spent_minor
    return {"currency": reward.currency, "value_minor": reward.value_minor, "budget_minor": left}
