"""What a brand shows to everybody: its colours and its privacy page."""

from flask import Blueprint, Response, g, render_template

from amplify.brands.services import brand_by_slug
from amplify.core.colour import palette
from amplify.core.db import db
from amplify.core.security import public
from amplify.core.web import amplify

blueprint = Blueprint("brands", __name__)

DAY_SECONDS = 86_400


@blueprint.get("/brand/<slug>/theme.css")
@public()
def theme(slug: str) -> Response:
    """The brand's palette as a stylesheet; its address changes with the accent, so that it may be kept."""
    brand = brand_by_slug(db.session, slug)
    response = Response(palette(brand.theme.get("accent")).css(), mimetype="text/css")
    response.cache_control.public = True
    response.cache_control.max_age = DAY_SECONDS
    return response


@blueprint.get("/b/<slug>/privacy")
@public()
def privacy(slug: str) -> str:
    """What is stored about people, in plain words."""
    g.brand = brand_by_slug(db.session, slug)
    return render_template("brands/privacy.html", brand=g.brand, days=amplify().settings.attribution_days)
