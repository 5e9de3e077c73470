"""Where a person answers a check, from the page that tells them why their points are what they are."""

from flask import Blueprint, g, redirect, request
from flask.typing import ResponseReturnValue

from amplify.brands.models import Brand
from amplify.core.db import db
from amplify.core.security import public
from amplify.core.web import amplify
from amplify.fraud import services
from amplify.sharing.tokens import PURPOSE, read_token

blueprint = Blueprint("fraud_appeals", __name__)


@blueprint.post("/board/<token>/appeal/<int:case_id>")
@public()
def appeal(token: str, case_id: int) -> ResponseReturnValue:
    """One text, once for each decision."""
    installation = amplify()
    days = installation.settings.ask_link_days
    visit = read_token(db.session, installation.signer(PURPOSE), token, max_age_days=days)
    g.brand = db.session.get_one(Brand, visit.advocate.brand_id)
    services.appeal(db.session, visit.advocate.id, case_id, request.form.get("text", ""))
    db.session.commit()
    return redirect(f"/board/{token}/why#checks", 303)
