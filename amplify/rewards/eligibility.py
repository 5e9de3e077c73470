"""Who of the chosen gets a push, and by which rule the others do not: for the dry run, the plan and the sending."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.i18n import best_language
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.delivery.addresses import fingerprint
from amplify.delivery.models import Suppression
from amplify.rewards.models import Reward
from amplify.sharing.models import Advocate

CHANNEL = "email"
LOOKUP = 1_000

# Every reason for not getting one, as a sentence for staff. The names are stored.
RULES = {
    "erased": _l("The person was erased."),
    "no-email": _l("No e-mail address is known."),
    "no-consent": _l("They did not agree to be written to."),
    "suppressed": _l("They unsubscribed, or the mailbox refused mail."),
    "milestone": _l("They have not reached what the reward hangs on."),
    "cap": _l("The campaign's cap was reached."),
    "over-budget": _l("The budget was used up."),
    "no-code": _l("There was no code left."),
}


class Ranked(Protocol):
    """A chosen advocate: a row of a snapshot, or of a choice that is not frozen."""

    @property
    def advocate_id(self) -> int: ...
    @property
    def rank(self) -> int: ...
    @property
    def score(self) -> float: ...
    @property
    def human_clicks(self) -> int: ...
    @property
    def conversions(self) -> int: ...


@dataclass(frozen=True)
class Candidate:
    """A chosen advocate and what stands in the way, if anything. `address` is for sending, never for a page."""

    advocate_id: int
    rank: int
    score: float
    human_clicks: int
    conversions: int
    name: str
    locale: str
    address: str
    channel: str = CHANNEL
    rule: str | None = None


def judge(session: Session, brand: Brand, reward: Reward | None, chosen: Sequence[Ranked]) -> list[Candidate]:
    """Each of the chosen, in the same order, with the first rule about the person that stands in the way."""
    judged: list[Candidate] = []
    for start in range(0, len(chosen), LOOKUP):
        judged += _judge(session, brand, reward, chosen[start : start + LOOKUP])
    return judged


def rule_about(brand_id: int, customer: Customer | None, suppressed: set[str]) -> str | None:
    """Why this person must not be written to, or None."""
    if customer is None or customer.erased_at is not None:
        return "erased"
    if not customer.email:
        return "no-email"
    if customer.consent is not True:
        return "no-consent"
    return "suppressed" if fingerprint(brand_id, customer.email) in suppressed else None


def suppressed_among(session: Session, brand_id: int, customers: Sequence[Customer | None]) -> set[str]:
    """The fingerprints among these people's addresses that are on the suppression list; at most 1,000 people."""
    hashes = {fingerprint(brand_id, customer.email) for customer in customers if customer and customer.email}
    listed = sa.select(Suppression.address_hash).where(
        Suppression.brand_id == brand_id, Suppression.address_hash.in_(hashes)
    )
    return set(session.scalars(listed)) if hashes else set()


def allocate(judged: Sequence[Candidate], *, cap: int | None, affordable: int | None, codes: int) -> list[Candidate]:
    """Give out in rank order what there is: the first beyond cap, budget or codes gets that rule. None: no limit."""
    limits = [("cap", cap), ("over-budget", affordable), ("no-code", codes)]
    place, result = 0, []
    for one in judged:
        if one.rule is None:
            one = replace(one, rule=next((name for name, most in limits if most is not None and place >= most), None))
            place += 1
        result.append(one)
    return result


def _judge(session: Session, brand: Brand, reward: Reward | None, chosen: Sequence[Ranked]) -> list[Candidate]:
    ids = [one.advocate_id for one in chosen]
    people = sa.select(Advocate, Customer).outerjoin(Customer, Customer.id == Advocate.customer_id)
    found = {a.id: (a, c) for a, c in session.execute(people.where(Advocate.id.in_(ids)))}
    suppressed = suppressed_among(session, brand.id, [customer for _advocate, customer in found.values()])
    default = best_language(brand.default_locale)
    return [_candidate(brand, reward, one, *found[one.advocate_id], suppressed, default) for one in chosen]


def _candidate(
    brand: Brand,
    reward: Reward | None,
    one: Ranked,
    advocate: Advocate,
    customer: Customer | None,
    suppressed: set[str],
    default: str,
) -> Candidate:
    rule = rule_about(brand.id, customer, suppressed)
    return Candidate(
        advocate_id=one.advocate_id,
        rank=one.rank,
        score=one.score,
        human_clicks=one.human_clicks,
        conversions=one.conversions,
        name=advocate.public_name,
        locale=best_language(customer.locale if customer else None, default),
        address=(customer.email or "") if customer else "",
        rule=rule or (None if _has_reached(reward.rule if reward else {}, one) else "milestone"),
    )


def _has_reached(rule: dict[str, Any], one: Ranked) -> bool:
    reached = {"human_click": one.human_clicks, "conversion": one.conversions}.get(rule.get("trigger", "rank"))
    return reached is None or reached >= int(rule.get("at_least", 0))
