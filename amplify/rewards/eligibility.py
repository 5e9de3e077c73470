"""Who of the chosen gets a push, and by which rule the others do not: one function for the dry run and the plan.

It judges in the database, a set at a time: the dry run counts what it says, the plan writes it into the ledger.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign, Excluded
from amplify.core.i18n import best_language
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.fraud import holds
from amplify.rewards import caps, holdout, reaching
from amplify.rewards.models import Push, Reward
from amplify.rewards.states import GIVEN_BACK
from amplify.sharing.models import Advocate, public_name

CHANNEL = "email"

# Every reason for not getting one, as a sentence for staff, in the order in which they are looked at. Names are stored.
RULES = {
    "erased": _l("The person was erased."),
    "no-email": _l("No e-mail address is known."),
    "no-consent": _l("They did not agree to be written to."),
    "suppressed": _l("They unsubscribed, or the mailbox refused mail."),
    "unwanted": _l("They want none of the ways there are."),
    "excluded": _l("They are on an exclusion list of this campaign."),
    "rewarded-recently": _l("They were rewarded too recently."),
    "held": _l("They are being checked."),
    "refused": _l("They were refused after a check."),
    "milestone": _l("They have not reached what the reward hangs on."),
    "cap-person": _l("They have had as many of this reward as one person may."),
    holdout.RULE: _l("They were kept back by chance, to measure what the reward brings."),
    "cap": _l("The campaign's cap was reached."),
    "over-budget": _l("The budget was used up."),
    "no-code": _l("There was no code left."),
    "stopped": _l("The campaign was stopped before."),
}
REACHED = {"human_click": "human_clicks", "conversion": "conversions"}


@dataclass(slots=True)
class Candidate:
    """A chosen advocate and what stands in the way, if anything. Only where they are shown: `name`, `score` in points
    and the `channel` that reaches them."""

    advocate_id: int
    rank: int
    locale: str
    rule: str | None = None
    score: float = 0.0
    name: str = ""
    channel: str = CHANNEL


@dataclass(frozen=True)
class Start:
    """A start to judge for: of which campaign, which one, when; and what it gives."""

    brand: Brand
    campaign: Campaign
    reward: Reward | None
    occurrence: int
    at: datetime


@dataclass(frozen=True)
class Limits:
    """What there is to give out in rank order. None: no limit."""

    cap: int | None = None
    affordable: int | None = None
    codes: int | None = None

    @property
    def named(self) -> list[tuple[str, int]]:
        found = (("cap", self.cap), ("over-budget", self.affordable), ("no-code", self.codes))
        return [(name, most) for name, most in found if most is not None]

    def allocate(self, judged: Iterable[Candidate]) -> Iterator[Candidate]:
        """Give it out: who is beyond cap, budget or codes gets that rule. As they come, best first."""
        place, named = 0, self.named
        plenty = min((most for _name, most in named), default=sys.maxsize)
        for one in judged:
            if one.rule is None:
                if place >= plenty:
                    one.rule = next(name for name, most in named if place >= most)
                place += 1
            yield one

    def cut(self, eligible: int) -> tuple[int, Counter[str]]:
        """The same for so many, in figures: how many get one, and how many not by which rule."""
        beyond: Counter[str] = Counter()
        for name, most in self.named:
            most = max(0, most)
            if eligible > most:
                beyond[name], eligible = eligible - most, most
        return eligible, beyond


def judged(session: Session, start: Start, chosen: sa.FromClause, more: Sequence[Any] = ()) -> sa.Select[Any]:
    """Each of the chosen with their language tag and the first rule that stands in the way (NULL: none); `more` columns
    about them.

    `chosen` has the columns advocate_id, rank, human_clicks, conversions, and holds every advocate once.
    """
    columns: Any = (chosen.c.advocate_id, chosen.c.rank, Customer.locale, _rule(session, start, chosen).label("rule"))
    people: sa.Select[Any] = sa.select(*columns, *more).join(Advocate, Advocate.id == chosen.c.advocate_id)
    return people.outerjoin(Customer, Customer.id == Advocate.customer_id)


def candidates(session: Session, start: Start, chosen: sa.FromClause, first: int) -> Iterator[Candidate]:
    """The `first` so many as objects, best first."""
    languages, rows = Languages(start.brand), judged(session, start, chosen).order_by(chosen.c.rank).limit(first)
    for advocate_id, rank, locale, rule in session.execute(rows).all():
        yield Candidate(advocate_id, rank, languages[locale], rule)


def to_be_shown(session: Session, start: Start, chosen: sa.FromClause, first: int | None = None) -> Iterator[Candidate]:
    """The same with whatever is told of them, the column score, too: so many at once, or all as they are asked for."""
    told = chosen.c.score, public_name(), way_to(session, start)
    languages, rows = Languages(start.brand), judged(session, start, chosen, told).order_by(chosen.c.rank).limit(first)
    found = session.execute(rows if first is not None else rows.execution_options(yield_per=2_000))
    for advocate_id, rank, locale, *more in found:
        yield Candidate(advocate_id, rank, languages[locale], *more)


def way_to(session: Session, start: Start) -> sa.Label[str]:
    """The way that reaches one of the `judged`."""
    return reaching.channel(session, start.brand).label("channel")


class Languages(dict[str | None, str]):
    """A person's language tag -> the language they are written to in."""

    def __init__(self, brand: Brand) -> None:
        super().__init__()
        self.default = best_language(brand.default_locale)

    def __missing__(self, tag: str | None) -> str:
        self[tag] = found = best_language(tag, self.default)
        return found


def _rule(session: Session, start: Start, chosen: sa.FromClause) -> sa.ColumnElement[str | None]:
    """The first rule about the person that stands in the way, in the order of RULES."""
    whens = [
        *reaching.in_the_way(session, start.brand),
        *_when_excluded(start),
        *_when_rewarded(start, chosen),
        (holds.is_whole(chosen.c.advocate_id, "held").correlate(chosen), "held"),
        (holds.is_whole(chosen.c.advocate_id, "refused").correlate(chosen), "refused"),
        *_when_short(start.reward, chosen),
        *_when_full(start.reward, chosen),
        (holdout.is_held_out(start.campaign, chosen.c.advocate_id), holdout.RULE),
    ]
    return sa.case(*whens, else_=None)


def _when_excluded(start: Start) -> list[tuple[Any, str]]:
    lists = start.campaign.audience.get("exclude")
    if not lists:
        return []
    named = sa.exists().where(Excluded.customer_id == Customer.id, Excluded.list_id.in_(lists))
    return [(named.correlate(Customer), "excluded")]


def _when_rewarded(start: Start, chosen: sa.FromClause) -> list[tuple[Any, str]]:
    days = start.campaign.audience.get("not_rewarded_days")
    if not days:
        return []
    another = sa.or_(Push.campaign_id != start.campaign.id, Push.occurrence != start.occurrence)
    lately = Push.planned_at > start.at - timedelta(days=days), Push.state.not_in(GIVEN_BACK), another
    return [
        (sa.exists().where(Push.advocate_id == chosen.c.advocate_id, *lately).correlate(chosen), "rewarded-recently")
    ]


def _when_short(reward: Reward | None, chosen: sa.FromClause) -> list[tuple[Any, str]]:
    asked = reward.rule if reward else {}
    counted = REACHED.get(asked.get("trigger", "rank"))
    return [(chosen.c[counted] < int(asked.get("at_least", 0)), "milestone")] if counted else []


def _when_full(reward: Reward | None, chosen: sa.FromClause) -> list[tuple[Any, str]]:
    if reward is None or reward.cap_person is None:
        return []
    return [(caps.is_full(reward, chosen.c.advocate_id), "cap-person")]
