"""What surveys do when something happens below."""

from sqlalchemy.orm import Session

from amplify.customers.events import PersonErased
from amplify.surveys import uploads


def on_erased(session: Session, fact: PersonErased) -> None:
    """No uploaded file brings an erased person back, and no note about a bad row keeps their words."""
    uploads.withdraw(session, fact.brand_id)
