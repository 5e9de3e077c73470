"""The installation's quote cards: where they are kept, how one is sent, and the card of a share page's draft."""

from flask import Blueprint, Flask, Response, current_app, request

from amplify.brands.models import Brand, Location
from amplify.core.db import db
from amplify.core.i18n import best_language, get_locale
from amplify.core.security import public
from amplify.core.ui import asset
from amplify.core.web import amplify
from amplify.sharing import drafts
from amplify.sharing.cards.content import CardContent, make
from amplify.sharing.cards.drawing import render
from amplify.sharing.cards.store import CardStore
from amplify.sharing.tokens import PURPOSE, read_token
from amplify.sharing.wording import clean

blueprint = Blueprint("draft_cards", __name__)

# Where there are no words at all: the same for every brand.
GENERAL = "img/share-card.png"
EXTENSION = "amplify.cards"


def install(app: Flask) -> None:
    """Called once per application, before the routes."""
    settings = app.extensions["amplify"].settings
    app.extensions[EXTENSION] = CardStore(settings.data_dir / "cards", settings.secret)


def card_response(card: CardContent | None, *, cache: str) -> Response:
    """The picture with `cache` as its Cache-Control, or 304; None leads to the general picture."""
    if card is None:
        return Response(status=302, headers={"Location": asset(GENERAL), "Cache-Control": cache})
    response = Response(content_type="image/png")
    response.set_etag(card.key)
    response.headers["Cache-Control"] = cache
    if card.key not in request.if_none_match:
        store: CardStore = current_app.extensions[EXTENSION]
        response.set_data(store.picture(card))
    response.make_conditional(request)
    return response


@blueprint.get("/share/<token>/card.png")
@public()
def draft_card(token: str) -> Response:
    """The card that the first draft of this share page would make; nobody else has its address."""
    return card_response(_card(token), cache="private, no-cache")


@blueprint.post("/share/<token>/card.png")
@public(csrf=False)  # the token in the address is what nobody else can know
def typed_card(token: str) -> Response:
    """The card of the words in the field, drawn for the page's preview and not kept."""
    card = _card(token, clean(request.form.get("words", ""))[: drafts.LONGEST])
    if card is None:
        return Response(status=204)
    return Response(render(card), content_type="image/png", headers={"Cache-Control": "no-store"})


def _card(token: str, words: str | None = None) -> CardContent | None:
    installation = amplify()
    visit = read_token(
        db.session, installation.signer(PURPOSE), token, max_age_days=installation.settings.ask_link_days
    )
    advocate, answer = visit.advocate, visit.response
    brand = db.session.get_one(Brand, advocate.brand_id)
    locale = best_language(str(get_locale()))
    place = db.session.get(Location, answer.location_id) if answer and answer.location_id else None
    if words is None:
        words = drafts.first_draft(db.session, brand, visit.campaign, advocate, answer, locale)
    return make(
        words,
        brand=brand,
        campaign=visit.campaign,
        advocate=advocate,
        locale=locale,
        place=place.name if place else "",
    )
