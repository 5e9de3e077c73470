"""What asking does when something happens below: an answer, a look at the share page, a channel opened."""

from sqlalchemy.orm import Session

from amplify.asks import services
from amplify.asks.models import Ask
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.web import amplify
from amplify.sharing.events import ShareOpened, SharePageShown
from amplify.sharing.models import Advocate
from amplify.sharing.tokens import PURPOSE
from amplify.surveys.events import SurveyAnswered
from amplify.surveys.models import Response


def on_answered(session: Session, fact: SurveyAnswered) -> None:
    """A hosted answer is asked on the page, one that came from elsewhere by mail."""
    response, now = fact.response, clock.now()
    if response.category == "detractor" and response.customer_id is not None:
        services.call_back(session, response.customer_id, "detractor-since")
    mode = "page" if response.source.startswith("hosted:") else "mail"
    brand = session.get_one(Brand, response.brand_id)
    ask = services.consider(session, brand, response, mode, now)
    if isinstance(ask, Ask) and mode == "mail":
        signer, settings = amplify().signer(PURPOSE), amplify().settings
        services.send(
            session, brand, ask, signer, base_url=settings.base_url, link_days=settings.ask_link_days, now=now
        )


def on_share_page_shown(session: Session, fact: SharePageShown) -> None:
    """The ask that led here was on the screen."""
    response = session.get(Response, fact.response_id) if fact.response_id else None
    if ask := services.ask_of(session, fact.advocate, response):
        services.mark_shown(ask, clock.now())


def on_share_opened(session: Session, fact: ShareOpened) -> None:
    """The ask that led here was followed."""
    response = session.get(Response, fact.share.response_id) if fact.share.response_id else None
    advocate = session.get_one(Advocate, fact.link.advocate_id)
    if ask := services.ask_of(session, advocate, response):
        services.mark_opened(ask, clock.now())
