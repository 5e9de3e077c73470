"""Many people at once, for files: a few statements for thousands, each found or made as `find_or_create` would."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.i18n import best_language
from amplify.customers import services
from amplify.customers.models import ConsentChange, Customer
from amplify.delivery.addresses import normal_form


@dataclass(frozen=True)
class Person:
    """What a source says about somebody, checked already; at least one of external id and e-mail."""

    external_id: str | None = None
    email: str | None = None
    name: str = ""
    locale: str | None = None
    timezone: str | None = None
    phone: str | None = None
    consent: bool | None = None
    sms_consent: bool | None = None

    @property
    def mailbox(self) -> str | None:
        """The comparison form of the address."""
        return normal_form(self.email) if self.email else None

    @property
    def handles(self) -> tuple[tuple[str, str], ...]:
        """By what the person can be recognised."""
        both = (("id", self.external_id), ("mailbox", self.mailbox))
        return tuple((kind, value) for kind, value in both if value)


class _Known:
    """The brand's customers that some people may be, looked up in two statements."""

    def __init__(self, session: Session, brand_id: int, people: Iterable[Person]) -> None:
        ids = {p.external_id for p in people if p.external_id}
        mailboxes = {p.mailbox for p in people if p.mailbox}
        mine = sa.select(Customer).where(Customer.brand_id == brand_id, Customer.erased_at.is_(None))
        self.by_id = {c.external_id: c for c in session.scalars(mine.where(Customer.external_id.in_(ids)))}
        # The oldest wins, as in find_or_create; another external id on the mailbox is another person.
        shared = mine.where(Customer.email_normal.in_(mailboxes), Customer.external_id.is_(None))
        self.by_mailbox = {c.email_normal: c for c in session.scalars(shared.order_by(Customer.id.desc()))}

    def find(self, person: Person) -> Customer | None:
        """Who this is."""
        return self.by_id.get(person.external_id) or self.by_mailbox.get(person.mailbox)


def find_or_create_many(
    session: Session, brand: Brand, people: Sequence[Person], *, consent_source: str
) -> dict[Person, int]:
    """Customer ids of these people, found or created. Flushes, never commits.

    New people that nobody else in `people` could be are inserted together; known ones about whom nothing new is said
    are left alone; the rest goes through `find_or_create`, one by one.
    """
    distinct = list(dict.fromkeys(people))
    known = _Known(session, brand.id, distinct)
    shared = Counter(handle for person in distinct for handle in person.handles)
    fresh = [p for p in distinct if known.find(p) is None and all(shared[h] == 1 for h in p.handles)]
    _insert(session, brand.id, fresh, consent_source)
    after = _Known(session, brand.id, fresh)
    found = {person: after.find(person) for person in fresh}
    for person in distinct:
        if found.get(person) is None:
            one = known.find(person)
            settled = one is not None and _says_nothing_new(one, person)
            found[person] = one if settled else _one(session, brand, person, consent_source)
    return {person: customer.id for person, customer in found.items() if customer is not None}


def _says_nothing_new(customer: Customer, person: Person) -> bool:
    said = {
        "external_id": person.external_id,
        "email": person.email,
        "name": person.name,
        "locale": best_language(person.locale, ""),
        "timezone": person.timezone,
        "phone": person.phone,
    }
    same = all(getattr(customer, name) == value for name, value in said.items() if value)
    agreed = person.consent in (None, customer.consent) and person.sms_consent in (None, customer.sms_consent)
    return same and agreed


def _one(session: Session, brand: Brand, person: Person, source: str) -> Customer | None:
    return services.find_or_create(
        session,
        brand,
        external_id=person.external_id,
        email=person.email,
        name=person.name,
        locale=person.locale,
        timezone=person.timezone,
        phone=person.phone,
        consent=person.consent,
        sms_consent=person.sms_consent,
        consent_source=source,
    )


def _insert(session: Session, brand_id: int, people: Sequence[Person], source: str) -> None:
    now = clock.now()
    rows = [
        {
            "brand_id": brand_id,
            "external_id": p.external_id,
            "email": p.email,
            "email_normal": p.mailbox,
            "name": p.name,
            "locale": best_language(p.locale, "") or None,
            "timezone": p.timezone,
            "phone": p.phone,
            **_agreed("consent", p.consent, source, now),
            **_agreed("sms_consent", p.sms_consent, source, now),
            "is_employee": False,
            "created_at": now,
        }
        for p in people
    ]
    insert_ignore(session, Customer, rows)
    _note_consents(session, brand_id, people, source)


def _agreed(column: str, consent: bool | None, source: str, now: datetime) -> dict[str, Any]:
    said = consent is not None
    return {column: consent, f"{column}_at": now if said else None, f"{column}_source": source if said else ""}


def _note_consents(session: Session, brand_id: int, people: Sequence[Person], source: str) -> None:
    said = [p for p in people if p.consent is not None or p.sms_consent is not None]
    known = _Known(session, brand_id, said)
    now = clock.now()
    rows = [
        {
            "brand_id": brand_id,
            "customer_id": c.id,
            "channel": channel,
            "consent": consent,
            "source": source,
            "at": now,
        }
        for p in said
        if (c := known.find(p)) is not None
        for channel, consent in (("", p.consent), (services.SMS, p.sms_consent))
        if consent is not None
    ]
    if rows:
        session.execute(sa.insert(ConsentChange), rows)
