"""The console's page of the operator's own list of agents. For admins; it holds for the whole installation."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from amplify.accounts import audit
from amplify.accounts.forms import refuse
from amplify.core import nav
from amplify.core.db import db
from amplify.core.errors import AmplifyError
from amplify.core.forms import Form
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.tracking import agent_list
from amplify.tracking.models import AgentPattern

# The API's document asks each blueprint with a hook of its own whether it belongs there; a plain one has no answer.
blueprint = APIBlueprint("agents", __name__, url_prefix="/console/agents", enable_openapi=False)
nav.add("agents.listing", _l("Agents"), "bot", order=83, roles=("admin",))

COLUMNS = ("pattern", "kind", "note", "created_by", "created_at", "is_on")
KIND_NAMES = {
    "bot": _l("A machine"),
    "preview": _l("A link preview"),
    "scanner": _l("A scanner of mail"),
    "human": _l("A person"),
}


class AgentForm(Form):
    """A new entry."""

    pattern = StringField(
        _l("Part of the agent"),
        [InputRequired(_l("Please fill this in.")), Length(max=200)],
        description=_l("As it stands in the list of a link's requests, for example acmereader/."),
    )
    kind = SelectField(
        _l("It is"),
        [InputRequired(_l("Please fill this in."))],
        choices=[SelectChoice(kind, name) for kind, name in KIND_NAMES.items()],
    )
    note = StringField(_l("Note"), [Length(max=200)], description=_l("Where it was seen, and why it stands here."))


@blueprint.before_request
def _only_of_one_brand() -> None:
    """An entry holds for all brands, and says who made it: where there are several, it is their host's business."""
    agent_list.allow_admins(db.session)


@blueprint.get("")
@staff("admin")
def listing() -> str:
    """All entries."""
    return _listing(AgentForm(formdata=None))


def _listing(form: AgentForm) -> str:
    return render_template(
        "tracking/agents.html", patterns=agent_list.patterns(db.session), form=form, kinds=KIND_NAMES
    )


@blueprint.get("/list.csv")
@staff("admin")
def listing_csv() -> Response:
    """The same as a file."""
    return csv_response("agents", COLUMNS, agent_list.rows(db.session))


@blueprint.post("")
@staff("admin")
def add() -> ResponseReturnValue:
    """A new entry."""
    form = AgentForm()
    if not form.validate():
        return _listing(form), 422
    try:
        text, kind, note = form.pattern.data, form.kind.data, form.note.data or ""
        row = agent_list.add(db.session, text, kind, note=note, actor=g.actor)
    except AmplifyError as refused:
        refuse(form, refused)
        return _listing(form), refused.status
    return _done("agent_pattern.added", row, _("The entry is on the list."))


@blueprint.post("/<int:pattern_id>/switch")
@staff("admin")
def switch(pattern_id: int) -> ResponseReturnValue:
    """On or off."""
    row = agent_list.pattern(db.session, pattern_id)
    agent_list.switch(db.session, row, request.form.get("on") == "1")
    return _done("agent_pattern.switched", row, _("The entry is switched."))


@blueprint.post("/<int:pattern_id>/remove")
@staff("admin")
def remove(pattern_id: int) -> ResponseReturnValue:
    """Forget an entry."""
    row = agent_list.pattern(db.session, pattern_id)
    agent_list.remove(db.session, row)
    return _done("agent_pattern.removed", row, _("The entry is removed."))


def _done(action: str, row: AgentPattern, message: str) -> ResponseReturnValue:
    detail: dict[str, Any] = {"pattern": row.pattern, "kind": row.kind, "on": row.is_on}
    audit.record(db.session, g.brand.id, g.actor, action, "agent_pattern", row.id, detail)
    db.session.commit()
    flash(message, "success")
    return redirect(url_for(".listing"), 303)
