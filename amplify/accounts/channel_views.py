"""The console's page about the ways to people: which are on, in which order, how fast, and who is not written to."""

from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from amplify.accounts import channels
from amplify.accounts.channel_forms import PACING, PacingForm, channels_form
from amplify.accounts.forms import refuse
from amplify.core.db import db
from amplify.core.errors import AmplifyError, Invalid
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.i18n import ngettext
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.core.web import amplify
from amplify.delivery import endpoints, phones, queries, vapid
from amplify.delivery.channel import ways

blueprint = Blueprint("channels", __name__, url_prefix="/console/channels")

# Why a mailbox is not written to, as staff reads it.
SUPPRESSED = {
    "unsubscribed": _l("unsubscribed"),
    "bounced": _l("the mailbox does not exist"),
    "complained": _l("called it spam"),
    "erased": _l("was erased"),
}


@blueprint.get("")
@staff("admin")
def index() -> str:
    """The brand's ways to people."""
    return _page(channels_form(g.brand, formdata=None))


def _page(form: PacingForm, *, secret: str = "", refused: Invalid | None = None) -> str:
    settings, asked = amplify().settings, phones.normal_form(request.args.get("address", "").strip())
    return render_template(
        "accounts/channels.html",
        form=form,
        pacing=PACING,
        ways=ways(),
        open=queries.open_endpoints(db.session, g.brand.id),
        programs=endpoints.webhooks(db.session, g.brand.id),
        mail=_mail(settings),
        sms={"sender": settings.sms_from, "address": f"{settings.base_url}/in/channels/sms"},
        push_key=vapid.keys(settings.secret).public,
        suppressed=queries.suppressed_by_reason(db.session, g.brand.id),
        reasons=SUPPRESSED,
        asked=asked,
        found=queries.suppression_of(db.session, g.brand.id, asked) if asked else None,
        secret=secret,
        refused=refused,
    )


def _mail(settings: Any) -> dict[str, str]:
    """Where mail goes here: of the installation, so it is shown and not changed."""
    server = f"{settings.smtp_host}:{settings.smtp_port}" if settings.mail == "smtp" else str(settings.mail)
    return {"server": server, "sender": settings.mail_from}


@blueprint.post("")
@staff("admin")
def save() -> ResponseReturnValue:
    """Order, limits, quiet hours and contact cap."""
    form = channels_form(g.brand)
    if not form.validate():
        return _page(form), 422
    try:
        channels.change(
            db.session,
            g.brand,
            g.actor,
            order=form.order(),
            per_minute=form.per_minute(),
            pacing=form.pacing(),
            can_sms=amplify().settings.sends_sms,
        )
    except Invalid as refused:
        db.session.rollback()
        refuse(form, refused)
        return _page(form), refused.status
    db.session.commit()
    return _done(_("Saved."))


@blueprint.post("/programs")
@staff("admin")
def add_program() -> ResponseReturnValue:
    """A program of the brand's own; its secret is shown once."""
    try:
        url = request.form.get("url", "").strip()
        _endpoint, secret = channels.add_program(db.session, g.brand, url, amplify().settings, g.actor)
    except Invalid as refused:
        db.session.rollback()
        return _page(channels_form(g.brand, formdata=None), refused=refused), refused.status
    db.session.commit()
    return _page(channels_form(g.brand, formdata=None), secret=secret)


@blueprint.post("/programs/<int:endpoint_id>/removal")
@staff("admin")
def remove_program(endpoint_id: int) -> ResponseReturnValue:
    """Send it nothing more."""
    channels.remove_program(db.session, g.brand.id, endpoint_id, g.actor)
    db.session.commit()
    return _done(_("The program is told nothing more."))


@blueprint.post("/test")
@staff("admin")
def test() -> ResponseReturnValue:
    """A message to oneself."""
    try:
        count = channels.send_test(db.session, current_user, request.form.get("channel", ""))
    except AmplifyError as refused:
        db.session.rollback()
        flash(str(refused.message), "error")
        return redirect(url_for(".index"), 303)
    db.session.commit()
    return _done(ngettext("%(num)s test is on its way.", "%(num)s tests are on their way.", count))


@blueprint.get("/suppressions.csv")
@staff("admin")
def suppressions_csv() -> Response:
    """Who is not written to: fingerprints, since addresses are not kept."""
    rows = queries.suppression_rows(db.session, g.brand.id)
    return csv_response("suppressions", queries.SUPPRESSION_COLUMNS, rows)


def _done(said: Any) -> ResponseReturnValue:
    flash(str(said), "success")
    return redirect(url_for(".index"), 303)
