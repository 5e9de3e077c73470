"""By which way a reward reaches some people, by name: what `reaching` judges in the database for a whole start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.bulk import is_among
from amplify.customers.models import Customer
from amplify.rewards import reaching


@dataclass(frozen=True)
class Way:
    """A channel and the address there; or, without a channel, the rule that leaves none."""

    channel: str = ""
    address: str = ""
    rule: str | None = None


ERASED = Way(rule="erased")


@dataclass(frozen=True)
class Ways:
    """The way to each of some people, by their id."""

    found: Mapping[int, Way]

    @classmethod
    def of(cls, session: Session, brand: Brand, people: Sequence[Any]) -> "Ways":
        """Looked up for all of them at once; None among them are people who were erased."""
        ids = [one.id for one in people if one is not None]
        by = reaching.channel(session, brand)
        rule = sa.case(*reaching.in_the_way(session, brand), else_=None)
        judged = sa.select(Customer.id, by, reaching.address(brand, by), rule)
        rows = session.execute(judged.where(is_among(session, Customer.id, ids))) if ids else ()
        return cls({number: Way(rule=why) if why else Way(way, address) for number, way, address, why in rows})

    def choose(self, person: Customer | None) -> Way:
        """The first of the brand's ways that reaches the person and that they did not refuse."""
        return ERASED if person is None else self.found.get(person.id, ERASED)


def rule_on(channel: str, person: Any) -> str | None:
    """Why this person must not be written to by this channel any more, or None; `delivery` itself looks at the
    suppression list and at their wishes. `person`: a Customer, or a row of what is asked here."""
    if person is None or person.erased_at is not None:
        return "erased"
    if channel == reaching.SMS and not (person.phone and person.sms_consent is True):
        return "no-consent"
    if channel != reaching.MAIL:
        return "no-consent" if person.consent is False else None
    if not person.email:
        return "no-email"
    return None if person.consent is True else "no-consent"
