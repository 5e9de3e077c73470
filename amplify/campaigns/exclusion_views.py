"""The console's page about exclusion lists: made, filled from a file or from what is pasted, and taken away."""

import io

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from amplify.campaigns import exclusions
from amplify.core.db import db
from amplify.core.errors import AmplifyError, Invalid
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff

blueprint = Blueprint("exclusions", __name__, url_prefix="/console/exclusions")
EDITORS = ("admin", "marketer")
ACTS = {"put_on": exclusions.put_on, "take_off": exclusions.take_off}


@blueprint.get("")
@staff(*EDITORS)
def index() -> str:
    """Every list, with how many are on it."""
    return _page()


@blueprint.post("")
@staff(*EDITORS)
def create() -> ResponseReturnValue:
    """An empty list of a new name."""
    try:
        exclusions.create(db.session, g.brand, request.form.get("name", ""), g.actor)
        db.session.commit()
    except Invalid as refused:
        db.session.rollback()
        return _page(refused), refused.status
    flash(_("Saved."), "success")
    return redirect(url_for("exclusions.index"), 303)


@blueprint.post("/<int:list_id>/people")
@staff(*EDITORS, large_body=True)
def people(list_id: int) -> ResponseReturnValue:
    """Put people on the list or take them off; committed in pieces, and safe to repeat."""
    chosen = exclusions.get(db.session, g.brand.id, list_id)
    act = ACTS.get(request.form.get("act", "put_on"), exclusions.put_on)
    done = act(db.session, chosen, _lines(), g.actor, after_batch=db.session.commit)
    db.session.commit()
    return render_template("campaigns/excluded.html", chosen=chosen, done=done)


@blueprint.post("/<int:list_id>/removal")
@staff(*EDITORS)
def remove(list_id: int) -> ResponseReturnValue:
    """Forget the list; a refusal is told on the page."""
    chosen = exclusions.get(db.session, g.brand.id, list_id)
    try:
        exclusions.remove(db.session, chosen, g.actor)
        db.session.commit()
    except AmplifyError as refused:
        db.session.rollback()
        return _page(refused), refused.status
    flash(_("The list is gone."), "success")
    return redirect(url_for("exclusions.index"), 303)


def _page(refused: AmplifyError | None = None) -> str:
    lists = exclusions.of_brand(db.session, g.brand.id)
    name = request.form.get("name", "")
    return render_template("campaigns/exclusions.html", lists=lists, refused=refused, name=name)


def _lines() -> io.TextIOWrapper | list[str]:
    """The uploaded file as lines of text, read as it is needed; else what was pasted."""
    upload = request.files.get("file")
    if upload is not None and upload.filename:
        return io.TextIOWrapper(upload.stream, encoding="utf-8-sig", newline="")
    pasted = request.form.get("people", "").splitlines()
    if not any(line.strip() for line in pasted):
        raise Invalid("file", "required", _l("Choose a file with people, or paste some."))
    return pasted
