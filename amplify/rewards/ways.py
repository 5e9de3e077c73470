"""By which way a reward reaches somebody: the brand's order, what reaches the person, and what they wish."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.bulk import is_among
from amplify.delivery import endpoints
from amplify.delivery.addresses import fingerprint
from amplify.delivery.models import Suppression, Wishes

UNWANTED = "unwanted"


class Person(Protocol):
    """What decides whether somebody may be written to: a customer, or these columns of one."""

    @property
    def email(self) -> str | None: ...
    @property
    def consent(self) -> bool | None: ...
    @property
    def erased_at(self) -> datetime | None: ...


class Reached(Person, Protocol):
    """A person with what tells them from others: a customer, or these columns of one."""

    @property
    def id(self) -> int: ...
    @property
    def external_id(self) -> str | None: ...


@dataclass(frozen=True)
class Way:
    """A channel and the address there; or, without a channel, the rule that leaves none."""

    channel: str = ""
    address: str = ""
    rule: str | None = None


@dataclass(frozen=True)
class Ways:
    """What is known about how some people can be reached."""

    brand: Brand
    suppressed: set[str]
    open: Mapping[str, Mapping[str, int]]
    unwanted: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, session: Session, brand: Brand, people: Sequence[Any]) -> "Ways":
        """Looked up for all of them at once; None among them are people who were erased."""
        known = [one for one in people if one is not None]
        keys = {_key(one) for one in known}
        ours = Wishes.brand_id == brand.id
        unwanted: dict[str, Sequence[str]] = {}
        if session.scalar(sa.select(Wishes.id).where(ours).limit(1)) is not None:
            theirs = sa.select(Wishes.person, Wishes.unwanted).where(ours, is_among(session, Wishes.person, keys))
            unwanted = {row.person: row.unwanted for row in session.execute(theirs)}
        suppressed = suppressed_among(session, brand.id, known)
        return cls(brand, suppressed, endpoints.open_of(session, brand.id, keys), unwanted)

    def choose(self, person: Reached | None) -> Way:
        """The first of the brand's ways that reaches the person and that they did not refuse."""
        rule = rule_about(self.brand.id, person, self.suppressed)
        if person is None or person.erased_at is not None:
            return Way(rule=rule)
        refused = self.unwanted.get(_key(person), ())
        for channel in self.brand.channel_order:
            address = self._address(channel, person, rule)
            if address and channel not in refused:
                return Way(channel, address)
        return Way(rule=rule or UNWANTED)

    def _address(self, channel: str, person: Reached, rule: str | None) -> str:
        if channel == "email":
            return (person.email or "") if rule is None else ""
        if channel == endpoints.WEBHOOK:
            may = person.consent is True and person.external_id
            number = self.open.get("", {}).get(channel) if may else None
        else:  # subscribing was a consent of its own, until they say no to everything
            number = self.open.get(_key(person), {}).get(channel) if person.consent is not False else None
        return f"endpoint:{number}" if number else ""


def _key(person: Any) -> str:
    return f"customer:{person.id}"


def rule_on(channel: str, brand_id: int, person: Person | None, suppressed: set[str]) -> str | None:
    """Why this person must not be written to by this channel any more, or None."""
    if channel == "email" or person is None or person.erased_at is not None:
        return rule_about(brand_id, person, suppressed)
    return "no-consent" if person.consent is False else None


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
    return set(
        session.scalars(
            sa.select(Suppression.address_hash).where(ours, is_among(session, Suppression.address_hash, hashes))
        )
    )
