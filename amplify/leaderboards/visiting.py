"""Who comes to a page of their own by their signed address, and answers that nobody else may keep."""

from flask import Response, g, make_response, request

from amplify.brands.models import Brand
from amplify.core.db import db
from amplify.core.web import amplify
from amplify.sharing.tokens import PURPOSE, Visit, read_token


def visit_of(token: str) -> Visit:
    """Who comes; the brand and their language are set for the page."""
    installation = amplify()
    days = installation.settings.ask_link_days
    visit = read_token(db.session, installation.signer(PURPOSE), token, max_age_days=days)
    g.brand = db.session.get_one(Brand, visit.advocate.brand_id)
    customer = visit.advocate.customer
    if not request.cookies.get("lang"):
        g.language = customer.locale if customer else None
    return visit


def private(page: str) -> Response:
    """For one pair of eyes."""
    response = make_response(page)
    response.headers["Cache-Control"] = "private, no-store"
    return response
