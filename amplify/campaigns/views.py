"""The console's page about the always-on campaign; those of launched campaigns stand with their rewards."""

from flask import Blueprint, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from amplify.campaigns import always_on
from amplify.campaigns.forms import AlwaysOnForm, values_of
from amplify.campaigns.forms import show as show_refusal
from amplify.core.db import db
from amplify.core.errors import AmplifyError
from amplify.core.i18n import gettext as _
from amplify.core.security import staff

blueprint = Blueprint("always_on", __name__, url_prefix="/console/campaigns/always-on")


@blueprint.get("")
@staff("admin", "marketer")
def show() -> str:
    """Where links lead between campaigns, and in which words."""
    campaign = always_on.of(db.session, g.brand)
    return _page(AlwaysOnForm(formdata=None, data=values_of(g.brand, campaign)))


@blueprint.post("")
@staff("admin", "marketer")
def write() -> ResponseReturnValue:
    """Make it, or change it; every refusal comes back in the form."""
    form = AlwaysOnForm()
    if not form.validate():
        return _page(form), 422
    try:
        always_on.write(db.session, g.brand, form.always_on_in(), g.actor, form.seen)
        db.session.commit()
    except AmplifyError as refused:
        db.session.rollback()
        show_refusal(form, refused)
        return _page(form), refused.status
    flash(_("Saved."), "success")
    return redirect(url_for("campaigns.index"), 303)


def _page(form: AlwaysOnForm) -> str:
    campaign = always_on.of(db.session, g.brand)
    return render_template("campaigns/always_on.html", form=form, campaign=campaign)
