"""What customers do when something happens below."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.customers.models import Customer
from amplify.customers.services import withdraw_consent
from amplify.delivery.addresses import normal_form
from amplify.delivery.events import Unsubscribed, WishesChanged


def on_unsubscribed(session: Session, fact: Unsubscribed) -> None:
    """Who unsubscribes no longer agrees to be written to, under whichever id the brand knows that mailbox."""
    same_mailbox = sa.select(Customer).where(
        Customer.brand_id == fact.brand_id, Customer.email_normal == normal_form(fact.address)
    )
    for customer in session.scalars(same_mailbox):
        withdraw_consent(session, customer)


def on_wishes_changed(session: Session, fact: WishesChanged) -> None:
    """From now on they are written to in the language they chose."""
    kind, _, number = fact.person.partition(":")
    customer = session.get(Customer, int(number)) if kind == "customer" else None
    if customer is not None and customer.brand_id == fact.brand_id and customer.erased_at is None:
        customer.locale = fact.locale
