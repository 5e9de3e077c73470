"""Who an advocate is, for staff with a reason: asked on one page, answered once, written into the audit log."""

from flask import Blueprint, Response, g, make_response, render_template
from flask.typing import ResponseReturnValue
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from amplify.accounts import audit
from amplify.core.db import db
from amplify.core.errors import NotFound
from amplify.core.forms import Form
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.sharing.models import Advocate

blueprint = Blueprint("reveal", __name__, url_prefix="/console/advocates")
EDITORS = ("admin", "marketer")


class RevealForm(Form):
    """Why somebody wants to know."""

    reason = TextAreaField(
        _l("Reason"),
        [InputRequired(_l("Please fill this in.")), Length(10, 500, _l("Write 10 to 500 characters."))],
        description=_l("It is written into the audit log with your name."),
    )


@blueprint.get("/<int:advocate_id>/reveal")
@staff(*EDITORS)
def ask(advocate_id: int) -> str:
    """The question for the reason."""
    return render_template(
        "leaderboards/reveal.html", advocate=_advocate(advocate_id), form=RevealForm(formdata=None), customer=None
    )


@blueprint.post("/<int:advocate_id>/reveal")
@staff(*EDITORS)
def reveal(advocate_id: int) -> ResponseReturnValue:
    """The name and the address, once."""
    advocate, form = _advocate(advocate_id), RevealForm()
    if not form.validate():
        return render_template("leaderboards/reveal.html", advocate=advocate, form=form, customer=None), 422
    detail = {"reason": form.reason.data.strip()}
    audit.record(db.session, g.brand.id, g.actor, "advocate.revealed", "advocate", advocate.id, detail)
    db.session.commit()
    page = render_template("leaderboards/reveal.html", advocate=advocate, form=form, customer=advocate.customer)
    return _never_kept(page)


def _never_kept(page: str) -> Response:
    response = make_response(page)
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _advocate(advocate_id: int) -> Advocate:
    found = db.session.get(Advocate, advocate_id)
    if found is None or found.brand_id != g.brand.id:
        raise NotFound(_l("There is no such advocate."))
    return found
