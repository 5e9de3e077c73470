"""Looking people up."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.delivery import phones
from amplify.delivery.addresses import normal_form
from amplify.delivery.phones import is_phone

SHOWN = 20


def get(session: Session, brand_id: int, customer_id: int) -> Customer:
    """The brand's customer. Raises NotFound, also for another brand's."""
    found = session.get(Customer, customer_id)
    if found is None or found.brand_id != brand_id:
        raise NotFound(_l("There is no such customer."), rule="unknown-customer")
    return found


def search(session: Session, brand_id: int, text: str) -> list[Customer]:
    """Those with exactly this external id, mailbox or telephone number: nobody browses through customers."""
    text = text.strip()
    if not text:
        return []
    known = Customer.external_id == text
    if "@" in text:
        known = sa.or_(known, Customer.email_normal == normal_form(text))
    if is_phone(text):
        known = sa.or_(known, Customer.phone == phones.normal_form(text))
    mine = sa.select(Customer).where(Customer.brand_id == brand_id, Customer.erased_at.is_(None), known)
    return list(session.scalars(mine.order_by(Customer.id).limit(SHOWN)))


def only(session: Session, brand_id: int, text: str) -> Customer:
    """The one customer with this external id or mailbox. Raises NotFound if there is none or more than one."""
    found = search(session, brand_id, text)
    if len(found) != 1:
        raise NotFound(_l("%(n)s customers are known by this; name one.", n=len(found)), rule="unknown-customer")
    return found[0]
