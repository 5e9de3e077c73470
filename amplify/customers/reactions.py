"""What customers do when something happens below."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.customers.models import Customer
from amplify.customers.services import agree_to_sms, withdraw_consent
from amplify.delivery.addresses import normal_form
from amplify.delivery.events import Resubscribed, Unsubscribed, WishesChanged
from amplify.delivery.phones import is_phone


def on_unsubscribed(session: Session, fact: Unsubscribed) -> None:
    """Who unsubscribes no longer agrees to be written to, under whichever id the brand knows that mailbox.

    Who says no from a telephone says it of text messages; mail goes on.
    """
    if is_phone(fact.address):
        return _tell_sms(session, fact.brand_id, fact.address, False, "sms:stop")
    same_mailbox = sa.select(Customer).where(
        Customer.brand_id == fact.brand_id, Customer.email_normal == normal_form(fact.address)
    )
    for customer in session.scalars(same_mailbox):
        withdraw_consent(session, customer)


def on_resubscribed(session: Session, fact: Resubscribed) -> None:
    """Their own telephone said START."""
    _tell_sms(session, fact.brand_id, fact.address, True, "sms:start")


def _tell_sms(session: Session, brand_id: int, phone: str, agrees: bool, source: str) -> None:
    for customer in session.scalars(sa.select(Customer).where(Customer.brand_id == brand_id, Customer.phone == phone)):
        agree_to_sms(session, customer, agrees, source)


def on_wishes_changed(session: Session, fact: WishesChanged) -> None:
    """From now on they are written to in the language they chose."""
    kind, _, number = fact.person.partition(":")
    customer = session.get(Customer, int(number)) if kind == "customer" else None
    if customer is not None and customer.brand_id == fact.brand_id and customer.erased_at is None:
        customer.locale = fact.locale
