"""Finding the same person again, keeping what they agreed to, giving out what is known and forgetting it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.brands.models import Brand
from amplify.core import clock, events
from amplify.core.db import is_sqlite
from amplify.core.errors import Invalid
from amplify.core.i18n import best_language
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers import person
from amplify.customers.events import PersonErased
from amplify.customers.models import ConsentChange, Customer
from amplify.delivery import addresses, phones
from amplify.delivery.addresses import normal_form
from amplify.delivery.services import suppress

__all__ = ["agree_to_sms", "anonymous", "erase", "export_person", "find_or_create", "normal_form", "withdraw_consent"]

# Only what a person says on our own page, or from their own telephone, gives back a consent they withdrew.
OWN_WORD = ("hosted:", "sms:")
SMS = "sms"
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class _Given:
    """What a source says about a person, checked; an empty value says nothing."""

    external_id: str
    email: str
    name: str
    locale: str
    timezone: str
    phone: str


def find_or_create(
    session: Session,
    brand: Brand,
    *,
    external_id: str | None = None,
    email: str | None = None,
    name: str | None = None,
    locale: str | None = None,
    timezone: str | None = None,
    phone: str | None = None,
    consent: bool | None = None,
    sms_consent: bool | None = None,
    consent_source: str = "",
) -> Customer | None:
    """The brand's customer with this external id, else with this mailbox, else a new one; None if neither is given.

    What is given replaces what is known, what is not given stays. `consent_source` names the intake, e.g.
    "hosted:visit" or "import:2026-11"; see `_agree`. A telephone number is a way to reach somebody and never finds
    them: households share one. Raises Invalid naming email, external_id, name, timezone or phone.
    """
    given = _checked(external_id, email, name, locale, timezone, phone)
    if not given.external_id and not given.email:
        return None
    customer = _find(session, brand.id, given)
    if customer is None and _waited_for_turn(session, brand.id, given):
        customer = _find(session, brand.id, given)
    if customer is None:
        customer = Customer(brand_id=brand.id)
        session.add(customer)
    _learn(customer, given)
    _agree(session, customer, consent_source, {"": consent, SMS: sms_consent})
    return customer


def _checked(*values: str | None) -> _Given:
    external_id, email, name, locale, timezone, phone = ((value or "").strip() for value in values)
    for field, value, longest in (("external_id", external_id, 200), ("name", name, 200), ("locale", locale, 35)):
        if len(value) > longest:
            raise Invalid(field, "max-length", _l("This is too long: %(n)s characters at most.", n=longest))
        if UNPRINTABLE.search(value):
            raise Invalid(field, "printable", _l("This holds characters that cannot be printed."))
    if email:
        email = addresses.check("email", email)
    if timezone:
        _check_zone(timezone)
    if phone:
        phone = phones.check("phone", phone)
    return _Given(external_id, email, name, best_language(locale, ""), timezone, phone)


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise Invalid("timezone", "timezone", _l("This is not a time zone, such as Europe/Madrid.")) from error


def _find(session: Session, brand_id: int, given: _Given) -> Customer | None:
    mine = sa.select(Customer).where(Customer.brand_id == brand_id, Customer.erased_at.is_(None))
    if given.external_id:
        if found := session.scalar(mine.where(Customer.external_id == given.external_id)):
            return found
        # Another external id on the same mailbox is another person of the household.
        mine = mine.where(Customer.external_id.is_(None))
    if not given.email:
        return None
    same_mailbox = mine.where(Customer.email_normal == normal_form(given.email))
    return session.scalar(same_mailbox.order_by(Customer.id).limit(1))


def _waited_for_turn(session: Session, brand_id: int, given: _Given) -> bool:
    """Two answers of one new person at once make one customer; whether the other's may be there now. SQLite writes one
    at a time anyway."""
    if is_sqlite(session):
        return False
    for key in sorted(filter(None, (given.external_id, given.email and normal_form(given.email)))):
        lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"customer:{brand_id}:{key}", 0))
        session.execute(sa.select(lock))
    return True


def _learn(customer: Customer, given: _Given) -> None:
    if given.external_id:
        customer.external_id = given.external_id
    if given.email:
        customer.email, customer.email_normal = given.email, normal_form(given.email)
    customer.name = given.name or customer.name or ""
    customer.locale = given.locale or customer.locale
    customer.timezone = given.timezone or customer.timezone
    customer.phone = given.phone or customer.phone


def _agree(session: Session, customer: Customer, source: str, said: Mapping[str, bool | None]) -> None:
    """Store the customer, and each consent given or withdrawn that changes anything. `said`: by channel, "" for being
    written to at all; None says nothing.

    A "yes" from anywhere but the person themselves does not undo a "no": a file or another system cannot know that
    they took it back here.
    """
    now, changed = clock.now(), []
    for channel, consent in said.items():
        column = f"{channel}_consent" if channel else "consent"
        before = getattr(customer, column)
        if consent is None or consent is before or (consent and before is False and not source.startswith(OWN_WORD)):
            continue
        for name, value in ((column, consent), (f"{column}_at", now), (f"{column}_source", source)):
            setattr(customer, name, value)
        changed.append({"channel": channel, "consent": consent, "source": source, "at": now})
    session.flush()  # a new customer has an id from here on
    if changed:
        who = {"brand_id": customer.brand_id, "customer_id": customer.id}
        session.add_all(ConsentChange(**who, **row) for row in changed)
        session.flush()


def anonymous(session: Session, brand: Brand, locale: str) -> Customer:
    """Somebody without any contact, who may share all the same."""
    customer = Customer(brand_id=brand.id, locale=best_language(locale, best_language(brand.default_locale)))
    session.add(customer)
    session.flush()
    return customer


def withdraw_consent(session: Session, customer: Customer, source: str = "unsubscribed") -> None:
    """The person no longer agrees to be written to."""
    _agree(session, customer, source, {"": False})


def agree_to_sms(session: Session, customer: Customer, agrees: bool, source: str) -> None:
    """The person said from their own telephone whether they want text messages; `source` begins with "sms:"."""
    _agree(session, customer, source, {SMS: agrees})


def export_person(session: Session, customer: Customer) -> dict[str, Any]:
    """Everything kept about this person, as JSON values: {table: [{column: value}]}. See person.COLUMNS."""
    return person.export(session, customer)


def erase(session: Session, customer: Customer, actor: str) -> None:
    """Forget who this was (GDPR, article 17): a tombstone stays, so that links, points and money still add up.

    Their addresses stay suppressed as fingerprints. Erasing twice changes nothing. Cannot be undone.
    """
    if customer.erased_at is not None:
        return
    for address in person.addresses(session, customer):
        suppress(session, customer.brand_id, address, "erased")
    # First: an import that is just storing rows ends before what it stored is looked for.
    events.publish(session, PersonErased(customer.brand_id))
    person.forget(session, customer)
    customer.erased_at = clock.now()
    session.flush()
    audit.record(session, customer.brand_id, actor, "customer.erased", "customer", str(customer.id), {})
