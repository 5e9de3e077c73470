"""The picture of a tracked link, for the networks that show it beside the post. Fetching it is no click."""

from flask import Blueprint, Response

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.db import db
from amplify.core.security import public
from amplify.sharing.cards.content import card_of_link
from amplify.sharing.models import ShareLink
from amplify.sharing.web import card_response
from amplify.tracking import services
from amplify.tracking.redirect import decide, read_hit
from amplify.tracking.views import in_use

blueprint = Blueprint("cards", __name__)

# The address changes with the words, so a copy is never wrong for long; after a day also one that was left elsewhere
# is gone when the person was erased.
CACHE = "public, max-age=86400"


@blueprint.get("/s/<code>/card.png")
@public()
def card(code: str) -> Response:
    """What stands on the card today, whatever `?v=` says; 404 or 410 like the link itself."""
    target = services.find_target(db.session, code)
    machine = read_hit("GET", lambda name: "", is_own=False)
    link = db.session.get_one(ShareLink, in_use(target, decide(machine, target, clock.now())).link_id)
    brand, campaign = db.session.get_one(Brand, link.brand_id), db.session.get_one(Campaign, link.campaign_id)
    return card_response(card_of_link(db.session, link, brand, campaign), cache=CACHE)
