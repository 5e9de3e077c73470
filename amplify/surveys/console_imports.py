"""The console's import: upload, choose the columns, look at the dry run, start, watch."""

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from amplify.core import nav
from amplify.core.db import db
from amplify.core.errors import AmplifyError
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.surveys import importing, mapping, queries, uploads
from amplify.surveys.forms import FIELD_NAMES, MappingForm, UploadForm
from amplify.surveys.mapping import Mapping
from amplify.surveys.models import ImportRun
from amplify.surveys.words import why, why_failed

blueprint = Blueprint("imports", __name__)
nav.add("surveys.console.answers", _l("Surveys"), "message-square", order=20)
nav.add("surveys.imports.index", _l("Imports"), "import", order=24, roles=("admin", "marketer"))

SHOWN_PROBLEMS = 50
MAX_TOML = 200_000


@blueprint.get("/console/imports")
@staff("admin", "marketer")
def index() -> str:
    """The imports so far, and a form for the next file."""
    return _index(UploadForm(formdata=None))


def _index(form: UploadForm) -> str:
    return render_template("surveys/imports.html", runs=queries.runs(db.session, g.brand), form=form)


@blueprint.post("/console/imports")
@staff("admin", "marketer", large_body=True)
def upload() -> ResponseReturnValue:
    """Keep the file; the columns come next. A TOML mapping that fits goes straight to its dry run."""
    form = UploadForm()
    if not form.validate():
        return _index(form), 422
    try:
        run = _keep(form)
    except AmplifyError as refused:
        field = form.file if refused.field == "file" else form.toml
        field.errors = [_said(fault) for fault in refused.faults or (refused,)]
        return _index(form), refused.status
    return redirect(url_for("surveys.imports.show", run_id=run.id), 303)


def _keep(form: UploadForm) -> ImportRun:
    """The file and its run, or neither."""
    chosen = _given_mapping(form)
    path, sha256 = uploads.keep(form.file.data)
    try:
        run = importing.new_run(db.session, g.brand, path, form.file.data.filename or path.name, sha256, g.actor)
        run.mapping = {"csv": {"encoding": form.encoding.data, "delimiter": form.delimiter.data}}
        if chosen:
            uploads.begin_check(db.session, run, chosen)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        path.unlink()
        raise
    return run


def _said(fault: Any) -> str:
    return f"{fault.field}: {fault.message}" if fault.field and fault.field != "file" else str(fault.message)


def _given_mapping(form: UploadForm) -> Mapping | None:
    if not form.toml.data:
        return None
    text = form.toml.data.stream.read(MAX_TOML)
    return mapping.load(text.decode("utf-8", "replace"))


@blueprint.get("/console/imports/<int:run_id>")
@staff("admin", "marketer")
def show(run_id: int) -> ResponseReturnValue:
    """Where the import stands: its columns, the dry run's findings, the progress, or what came of it."""
    run = importing.run_of(db.session, g.brand, run_id)
    if run.state == "uploaded":
        return _columns(run)
    problems = [
        {"line": p.line, "column": p.column, "why": why(p.rule, p.message), "rule": p.rule, "value": p.value}
        for p in queries.problems(db.session, run, SHOWN_PROBLEMS)
    ]
    template = "surveys/_import_state.html" if request.headers.get("HX-Request") else "surveys/import.html"
    return render_template(template, run=run, problems=problems, failed=why_failed(run.reason))


@blueprint.get("/console/imports/<int:run_id>/columns")
@staff("admin", "marketer")
def columns(run_id: int) -> ResponseReturnValue:
    """Which column is what; also after a dry run that found too much."""
    return _columns(importing.run_of(db.session, g.brand, run_id))


def _columns(run: ImportRun, form: MappingForm | None = None) -> str:
    header, sample = uploads.sample_of(run)
    plain = uploads.suggested(db.session, g.brand, run, header)
    chosen = {name: rule["column"] for name, rule in plain.get("fields", {}).items()}
    if request.method == "POST":
        chosen = {name: request.form.get(f"column-{name}", "") for name in FIELD_NAMES}
    form = form or MappingForm(formdata=None, data=uploads.form_values(plain))
    return render_template(
        "surveys/columns.html", run=run, header=header, sample=sample, form=form, fields=FIELD_NAMES, chosen=chosen
    )


@blueprint.post("/console/imports/<int:run_id>/columns")
@staff("admin", "marketer")
def choose(run_id: int) -> ResponseReturnValue:
    """The columns are chosen: the dry run follows."""
    run = importing.run_of(db.session, g.brand, run_id)
    form = MappingForm()
    if not form.validate():
        return _columns(run, form), 422
    header, _sample = uploads.sample_of(run)
    try:
        base = uploads.suggested(db.session, g.brand, run, header)
        uploads.begin_check(db.session, run, uploads.build(base, form.data, request.form))
    except AmplifyError as refused:
        db.session.rollback()
        form.form_errors = [_said(fault) for fault in refused.faults or (refused,)]
        return _columns(run, form), refused.status
    db.session.commit()
    return redirect(url_for("surveys.imports.show", run_id=run.id), 303)


@blueprint.post("/console/imports/<int:run_id>/start")
@staff("admin", "marketer")
def start(run_id: int) -> ResponseReturnValue:
    """Store the answers."""
    run = importing.run_of(db.session, g.brand, run_id)
    uploads.begin(db.session, run, g.actor)
    db.session.commit()
    flash(_("The import has started. You can leave this page."), "success")
    return redirect(url_for("surveys.imports.show", run_id=run.id), 303)


@blueprint.get("/console/imports/<int:run_id>/problems.csv")
@staff("admin", "marketer")
def problems(run_id: int) -> ResponseReturnValue:
    """The rows that are not taken, to be mended in a spreadsheet."""
    run = importing.run_of(db.session, g.brand, run_id)
    found = queries.problems(db.session, run)
    cells = [(p.line, p.column, p.rule, why(p.rule, p.message), p.value) for p in found]
    return csv_response(f"import-{run.id}-problems", ("line", "column", "rule", "reason", "value"), cells)
