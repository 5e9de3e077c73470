"""The console's frame for staff: the first page, people, keys, the audit log and the brand's settings."""

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from amplify.accounts import api_keys, brand_settings, menu, panels, queries, services, signing
from amplify.accounts.forms import ROLE_NAMES, SECTIONS, ApiKeyForm, InviteForm, SettingsForm, SigningKeyForm, refuse
from amplify.accounts.mail import send_invitation
from amplify.core.db import db
from amplify.core.errors import AmplifyError
from amplify.core.i18n import gettext as _
from amplify.core.security import public, staff
from amplify.core.sheets import csv_response
from amplify.core.web import amplify

blueprint = Blueprint("accounts", __name__)
menu.install()


@blueprint.get("/console")
@staff()
def home() -> str:
    """The first page: figures and next steps."""
    tiles, steps = panels.tiles(db.session, g.brand), panels.steps(db.session, g.brand)
    return render_template("console/home.html", tiles=tiles, steps=steps)


@blueprint.get("/logout")
@public()
def sign_out() -> str:
    """A link leads here, the button signs out: a GET changes nothing."""
    return render_template("security/logout_user.html")


# People


@blueprint.get("/console/people")
@staff("admin")
def people() -> str:
    """Who may sign in."""
    return _people(InviteForm(formdata=None, locale=g.brand.default_locale))


def _people(form: InviteForm) -> str:
    found = queries.people(db.session, g.brand.id)
    return render_template("accounts/people.html", people=found, form=form, roles=ROLE_NAMES.items())


@blueprint.post("/console/people")
@staff("admin")
def invite() -> ResponseReturnValue:
    """A new account, and the mail with the link to choose a password."""
    form = InviteForm()
    if not form.validate():
        return _people(form), 422
    try:
        user = services.create_user(db.session, g.brand, **form.values(), actor=g.actor)
    except AmplifyError as refused:
        refuse(form, refused)
        return _people(form), refused.status
    send_invitation(user)
    db.session.commit()
    flash(_("The invitation is on its way."), "success")
    return redirect(url_for(".people"), 303)


@blueprint.post("/console/people/<int:user_id>/role")
@staff("admin")
def set_role(user_id: int) -> ResponseReturnValue:
    """Another role."""
    user = services.staff_member(db.session, g.brand.id, user_id)
    services.change_role(db.session, user, request.form.get("role", ""), g.actor)
    return _back_to_people(_("The role is changed."))


@blueprint.post("/console/people/<int:user_id>/deactivate")
@staff("admin")
def deactivate(user_id: int) -> ResponseReturnValue:
    """Lock somebody out."""
    services.deactivate(db.session, services.staff_member(db.session, g.brand.id, user_id), g.actor)
    return _back_to_people(_("This person can no longer sign in."))


@blueprint.post("/console/people/<int:user_id>/reactivate")
@staff("admin")
def reactivate(user_id: int) -> ResponseReturnValue:
    """Let somebody in again."""
    services.reactivate(db.session, services.staff_member(db.session, g.brand.id, user_id), g.actor)
    return _back_to_people(_("This person can sign in again."))


def _back_to_people(message: str) -> ResponseReturnValue:
    db.session.commit()
    flash(message, "success")
    return redirect(url_for(".people"), 303)


# Keys


@blueprint.get("/console/keys")
@staff("admin")
def keys() -> str:
    """API keys and signing keys."""
    return _keys()


def _keys(
    api_form: ApiKeyForm | None = None,
    signing_form: SigningKeyForm | None = None,
    shown: dict[str, str] | None = None,
) -> str:
    return render_template(
        "accounts/keys.html",
        api_keys=queries.api_keys(db.session, g.brand.id),
        signing_keys=queries.signing_keys(db.session, g.brand.id),
        api_form=api_form or ApiKeyForm(formdata=None),
        signing_form=signing_form or SigningKeyForm(formdata=None),
        shown=shown,
    )


@blueprint.post("/console/keys/api")
@staff("admin")
def add_key() -> ResponseReturnValue:
    """A new API key, shown once."""
    form = ApiKeyForm()
    if not form.validate():
        return _keys(api_form=form), 422
    try:
        _row, key = api_keys.create_api_key(db.session, g.brand.id, **form.values(), actor=g.actor)
    except AmplifyError as refused:
        refuse(form, refused)
        return _keys(api_form=form), refused.status
    db.session.commit()
    return _keys(shown={"label": _("Your new API key"), "secret": key})


@blueprint.post("/console/keys/api/<int:key_id>/revoke")
@staff("admin")
def revoke_key(key_id: int) -> ResponseReturnValue:
    """End an API key."""
    api_keys.revoke(db.session, g.brand.id, key_id, g.actor)
    db.session.commit()
    flash(_("The key is revoked."), "success")
    return redirect(url_for(".keys"), 303)


@blueprint.post("/console/keys/signing")
@staff("admin")
def add_signing_key() -> ResponseReturnValue:
    """A new signing key, its secret shown once."""
    form = SigningKeyForm()
    if not form.validate():
        return _keys(signing_form=form), 422
    seal_with = amplify().settings.secret
    try:
        _row, secret = signing.create_signing_key(
            db.session, g.brand, **form.values(), secret_key=seal_with, actor=g.actor
        )
    except AmplifyError as refused:
        refuse(form, refused)
        return _keys(signing_form=form), refused.status
    db.session.commit()
    return _keys(shown={"label": _("The secret of your new signing key"), "secret": secret})


@blueprint.post("/console/keys/signing/<key>/secret")
@staff("admin")
def rotate_key(key: str) -> ResponseReturnValue:
    """A new secret beside the one in use, shown once."""
    row = signing.signing_key_of(db.session, g.brand.id, key)
    secret = signing.rotate_signing_key(db.session, row, secret_key=amplify().settings.secret, actor=g.actor)
    db.session.commit()
    return _keys(shown={"label": _("The new secret"), "secret": secret})


@blueprint.post("/console/keys/signing/<key>/disable")
@staff("admin")
def disable_key(key: str) -> ResponseReturnValue:
    """Take nothing signed with it any more."""
    signing.disable_signing_key(db.session, signing.signing_key_of(db.session, g.brand.id, key), g.actor)
    db.session.commit()
    flash(_("The key is off."), "success")
    return redirect(url_for(".keys"), 303)


# Audit log and settings


@blueprint.get("/console/audit")
@staff("admin")
def audit_log() -> str:
    """Who did what, newest first."""
    found = queries.audit_page(db.session, g.brand.id, request.args.get("page", ""))
    return render_template("accounts/audit.html", actors=queries.actor_names(db.session, g.brand.id), **found)


@blueprint.get("/console/audit.csv")
@staff("admin")
def audit_csv() -> Response:
    """The whole log of the brand."""
    rows = queries.audit_rows(db.session, g.brand.id)
    return csv_response("audit-log", queries.AUDIT_COLUMNS, rows)


@blueprint.route("/console/settings", methods=["GET", "POST"])
@staff("admin")
def settings() -> ResponseReturnValue:
    """The brand's rules and look."""
    form = SettingsForm(data=brand_settings.as_form(g.brand))
    if request.method == "POST":
        days = amplify().settings.attribution_days
        if form.validate() and brand_settings.save(db.session, g.brand, form, g.actor, attribution_days=days):
            db.session.commit()
            flash(_("The settings are saved."), "success")
            return redirect(url_for(".settings"), 303)
        db.session.rollback()
    status = 422 if form.errors else 200
    return render_template("accounts/settings.html", form=form, sections=SECTIONS), status
