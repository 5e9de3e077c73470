"""Who of the chosen gets a push, and by which rule the others do not: for the dry run, the plan and the sending."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.bulk import is_among
from amplify.core.i18n import best_language
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.delivery.addresses import fingerprint
from amplify.delivery.models import Suppression
from amplify.rewards.models import Reward
from amplify.sharing.models import Advocate, public_name

CHANNEL = "email"
LOOKUP = 8_000

# Every reason for not getting one, as a sentence for staff. The names are stored.
RULES = {
    "erased": _l("The person was erased."),
    "no-email": _l("No e-mail address is known."),
    "no-consent": _l("They did not agree to be written to."),
    "suppressed": _l("They unsubscribed, or the mailbox refused mail."),
    "milestone": _l("They have not reached what the reward hangs on."),
    "cap": _l("The campaign's cap was reached."),
    "cap-person": _l("They have had as many of this reward as one person may."),
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


class Person(Protocol):
    """What decides whether somebody may be written to: a customer, or these columns of one."""

    @property
    def email(self) -> str | None: ...
    @property
    def consent(self) -> bool | None: ...
    @property
    def erased_at(self) -> datetime | None: ...


@dataclass(slots=True)
class Candidate:
    """A chosen advocate and what stands in the way, if anything."""

    chosen: Ranked
    name: str
    locale: str
    rule: str | None = None
    channel: str = CHANNEL

    @property
    def advocate_id(self) -> int:
        return self.chosen.advocate_id

    @property
    def rank(self) -> int:
        return self.chosen.rank

    @property
    def score(self) -> float:
        return self.chosen.score


def judge(session: Session, brand: Brand, reward: Reward | None, chosen: Sequence[Ranked]) -> list[Candidate]:
    """Each of the chosen, in the same order, with the first rule about the person that stands in the way."""
    judged: list[Candidate] = []
    for start in range(0, len(chosen), LOOKUP):
        judged += _judge(session, brand, reward, chosen[start : start + LOOKUP])
    return judged


def rule_about(brand_id: int, customer: Person | None, suppressed: set[str]) -> str | None:
    """Why this person must not be written to, or None."""
    if customer is None or customer.erased_at is not None:
        return "erased"
    if not customer.email:
        return "no-email"
    if customer.consent is not True:
        return "no-consent"
    return "suppressed" if suppressed and fingerprint(brand_id, customer.email) in suppressed else None


def suppressed_among(session: Session, brand_id: int, customers: Sequence[Person | None]) -> set[str]:
    """The fingerprints among these people's addresses that are on the suppression list."""
    ours = Suppression.brand_id == brand_id
    if session.scalar(sa.select(Suppression.id).where(ours).limit(1)) is None:
        return set()
    hashes = {fingerprint(brand_id, customer.email) for customer in customers if customer and customer.email}
    return set(session.scalars(sa.select(Suppression.address_hash).where(ours, _is_one_of(session, hashes))))


def _is_one_of(session: Session, hashes: set[str]) -> sa.ColumnElement[bool]:
    return is_among(session, Suppression.address_hash, hashes)


def allocate(judged: Sequence[Candidate], *, cap: int | None, affordable: int | None, codes: int | None) -> None:
    """Give out in rank order what there is: who is beyond cap, budget or codes gets that rule. None: no limit."""
    named = (("cap", cap), ("over-budget", affordable), ("no-code", codes))
    limits = [(name, most) for name, most in named if most is not None]
    place = 0
    for one in judged:
        if one.rule is None:
            one.rule = next((name for name, most in limits if place >= most), None)
            place += 1


def _judge(session: Session, brand: Brand, reward: Reward | None, chosen: Sequence[Ranked]) -> list[Candidate]:
    people = (
        sa.select(Advocate.id, Customer.id, Customer.locale, public_name())
        .add_columns(Customer.email, Customer.consent, Customer.erased_at)
        .outerjoin(Customer, Customer.id == Advocate.customer_id)
        .where(is_among(session, Advocate.id, [one.advocate_id for one in chosen]))
    )
    found = {row[0]: row for row in session.execute(people).all()}
    suppressed = suppressed_among(session, brand.id, list(found.values()))
    asked, default = reward.rule if reward else {}, best_language(brand.default_locale)
    languages: dict[str | None, str] = {}
    judged = []
    for one in chosen:
        person = found[one.advocate_id]
        _id, customer_id, locale, name, *_contact = person
        if locale not in languages:
            languages[locale] = best_language(locale, default)
        rule = rule_about(brand.id, None if customer_id is None else person, suppressed)
        if rule is None and not _has_reached(asked, one):
            rule = "milestone"
        judged.append(Candidate(one, name, languages[locale], rule))
    return judged


def _has_reached(rule: dict[str, Any], one: Ranked) -> bool:
    reached = {"human_click": one.human_clicks, "conversion": one.conversions}.get(rule.get("trigger", "rank"))
    return reached is None or reached >= int(rule.get("at_least", 0))
