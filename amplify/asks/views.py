"""What people do with an ask: follow it from their mail, or say no thanks. The address is their key: no sign-in."""

from flask import Blueprint, g, redirect, render_template, request
from flask.typing import ResponseReturnValue

from amplify.asks import services
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.db import db
from amplify.core.security import public
from amplify.core.web import amplify
from amplify.sharing.tokens import PURPOSE, Visit, read_token

blueprint = Blueprint("asks", __name__)


def _visit(token: str) -> Visit:
    installation = amplify()
    days = installation.settings.ask_link_days
    visit = read_token(db.session, installation.signer(PURPOSE), token, max_age_days=days)
    g.brand = db.session.get_one(Brand, visit.advocate.brand_id)
    return visit


@blueprint.get("/ask/<token>")
@public(writes=True)
def follow(token: str) -> ResponseReturnValue:
    """The mail's button. A look ahead by a machine (HEAD, prefetch) is not counted as following it."""
    visit = _visit(token)
    ask = services.ask_of(db.session, visit.advocate, visit.response)
    if ask is not None and _is_person():
        services.mark_opened(ask, clock.now())
        db.session.commit()
    return redirect(f"/share/{token}", 303)


def _is_person() -> bool:
    ahead = request.headers.get("Sec-Purpose") or request.headers.get("Purpose")
    return request.method == "GET" and not ahead and bool(request.headers.get("User-Agent"))


@blueprint.post("/ask/<token>/decline")
@public(csrf=False, limited=False)  # the token in the address is what nobody else can know
def decline(token: str) -> ResponseReturnValue:
    """ "No thanks"."""
    visit = _visit(token)
    services.decline(db.session, visit)
    db.session.commit()
    return render_template("asks/declined.html", rest_days=g.brand.declined_rest_days)
