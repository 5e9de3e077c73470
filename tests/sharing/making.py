"""Rows for tests about sharing: a brand with a live campaign, a promoter, their advocate and token."""

from typing import Any

from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.campaigns.services import ensure_always_on
from amplify.core.settings import DEVELOPMENT_SECRET
from amplify.core.tokens import Signer
from amplify.customers.models import Customer
from amplify.customers.services import find_or_create
from amplify.sharing.services import advocate_of
from amplify.sharing.tokens import PURPOSE, Visit, share_page_token
from amplify.surveys.models import Response
from amplify.surveys.schemas import ResponseIn
from amplify.surveys.services import record_response
from tests.world import a_brand

SIGNER = Signer(DEVELOPMENT_SECRET, PURPOSE)
TEXTS = {
    "en": {"headline": "Stay with us", "disclosure": "Ad: I may get a reward."},
    "es": {"headline": "Quédate con nosotros", "disclosure": "Publicidad: puedo recibir un premio."},
}
SUGGESTIONS = {"en": ["The breakfast alone is worth it.", "Quiet rooms in the middle of town."]}


def a_live_brand(session: Session, slug: str = "acme", **more: Any) -> Brand:
    """A brand that is asking: its always-on campaign is live."""
    brand = a_brand(session, slug, suggestions=SUGGESTIONS, **more)
    ensure_always_on(session, brand, "https://shop.example/", TEXTS)
    return brand


def the_campaign(session: Session, brand: Brand) -> Campaign:
    return ensure_always_on(session, brand, "https://shop.example/", TEXTS)


def a_customer(session: Session, brand: Brand, email: str = "ana@friends.example", **said: Any) -> Customer:
    customer = find_or_create(session, brand, email=email, consent_source="hosted:visit", **said)
    assert customer is not None
    return customer


def an_answer(session: Session, brand: Brand, **said: Any) -> Response:
    """A stored answer: a hosted promoter's, unless said otherwise."""
    given = {"source": "hosted:visit", "external_id": "a-1", "given": 10, **said}
    return record_response(session, brand, ResponseIn.model_validate(given)).response


def a_visit(session: Session, brand: Brand, comment: str = "", **said: Any) -> Visit:
    """An advocate on their share page."""
    customer = {"email": "ana@friends.example", **said.pop("customer", {})}
    response = an_answer(session, brand, comment=comment, customer=customer, **said)
    assert response.customer is not None
    return Visit(advocate_of(session, response.customer), the_campaign(session, brand), response)


def token_of(visit: Visit) -> str:
    response_id = visit.response.id if visit.response else None
    return share_page_token(SIGNER, visit.advocate, response_id, visit.campaign.id)
