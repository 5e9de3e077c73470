"""Console pages about one person: find them, see what is known, give it out, erase it."""

import json

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from amplify.accounts import audit
from amplify.core import nav
from amplify.core.db import db
from amplify.core.errors import Invalid
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.customers import queries, services

blueprint = Blueprint("customers", __name__)
nav.add("customers.index", _l("Customers"), "user-round", order=60, roles=("admin",))


@blueprint.get("/console/customers")
@staff("admin")
def index() -> ResponseReturnValue:
    """Search by e-mail address or external id."""
    text = request.args.get("q", "")
    found = queries.search(db.session, g.brand.id, text)
    return render_template("customers/index.html", text=text, customers=found)


@blueprint.get("/console/customers/<int:customer_id>")
@staff("admin")
def one(customer_id: int) -> ResponseReturnValue:
    """What is known."""
    customer = queries.get(db.session, g.brand.id, customer_id)
    known = services.export_person(db.session, customer)
    return render_template("customers/one.html", customer=customer, known=known)


@blueprint.post("/console/customers/<int:customer_id>/export")
@staff("admin")
def export(customer_id: int) -> ResponseReturnValue:
    """Everything that is kept, as a file; that it was taken out is in the audit log."""
    customer = queries.get(db.session, g.brand.id, customer_id)
    known = services.export_person(db.session, customer)
    audit.record(db.session, g.brand.id, g.actor, "customer.exported", "customer", customer.id)
    db.session.commit()
    response = Response(json.dumps(known, ensure_ascii=False, indent=2), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="customer-{customer.id}.json"'
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/console/customers/<int:customer_id>/erase")
@staff("admin")
def erase(customer_id: int) -> ResponseReturnValue:
    """Forget the person. Needs the box that says so to be ticked."""
    customer = queries.get(db.session, g.brand.id, customer_id)
    if request.form.get("sure") != "yes":
        raise Invalid("sure", "confirm", _l("Tick the box to say that you are sure."))
    services.erase(db.session, customer, g.actor)
    db.session.commit()
    flash(_("The person was erased."), "success")
    return redirect(url_for("customers.index"))
