"""The console's pages about answers: the list, the NPS with its intervals, and the hosted surveys with their links."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import segno
from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from amplify.accounts import panels
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.db import db
from amplify.core.errors import AmplifyError
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.core.ui import signed
from amplify.core.web import amplify
from amplify.surveys import queries, services
from amplify.surveys.figures import chart_of, columns_of, sheet_of
from amplify.surveys.forms import SurveyForm
from amplify.surveys.links import survey_url
from amplify.surveys.models import Survey
from amplify.surveys.queries import Wanted

blueprint = Blueprint("console", __name__)

PAGE = 25
FIRST_GROUPS = 25
WINDOWS = (30, 90, 365)


def _words(name: str) -> str | None:
    return request.args.get(name, "").strip()[:200] or None


def _day(name: str, plus: int = 0) -> datetime | None:
    """A day of the query, in UTC; what is no day filters nothing."""
    try:
        found = datetime.strptime(request.args.get(name, ""), "%Y-%m-%d").replace(tzinfo=UTC)
        return found + timedelta(days=plus)
    except (ValueError, OverflowError):
        return None


def _wanted() -> Wanted:
    """The filters of the list. `until` is the last day, itself included."""
    return Wanted(
        category=_words("category"),
        business_line=_words("line"),
        location=_words("location"),
        source=_words("source"),
        text=_words("q"),
        since=_day("since"),
        until=_day("until", plus=1),
    )


@blueprint.get("/console/surveys")
@staff()
def answers() -> ResponseReturnValue:
    """Answers, the newest first, with filters; `?format=csv` gives all that fit."""
    wanted = _wanted()
    if request.args.get("format") == "csv":
        rows = ([*map(str, cells)] for cells in map(sheet_of, queries.every(db.session, g.brand.id, wanted)))
        return csv_response("answers", columns_of(), rows)
    page = max(1, request.args.get("page", 1, type=int))
    found, total = queries.page_of(db.session, g.brand.id, wanted, page=min(page, 100_000), size=PAGE)
    return render_template(
        "surveys/answers.html",
        answers=found,
        total=total,
        page=page,
        pages=-(-total // PAGE),
        lines=[(p.key, p.name) for p in queries.places(db.session, g.brand.id, "business_line")],
        locations=[(p.key, p.name) for p in queries.places(db.session, g.brand.id, "location")],
        sources=[(name, name) for name in queries.sources(db.session, g.brand.id)],
    )


@blueprint.get("/console/surveys/results")
@staff()
def results() -> ResponseReturnValue:
    """NPS overall, by business line and by location, of a window or of all time."""
    days = request.args.get("days", type=int)
    days = days if days in WINDOWS else None
    since = clock.now() - timedelta(days=days) if days else None
    by: dict[str, list[Any]] = {
        # The keys of that table are the names the type allows.
        name: queries.nps_by(db.session, g.brand.id, name, since)  # type: ignore[arg-type]
        for name in queries.DIMENSIONS
    }
    if request.args.get("format") == "csv":
        rows = by.get(request.args.get("by", ""), by["business_line"])
        return csv_response("nps", NPS_COLUMNS, [(r.name, r.n, *_split(r)) for r in rows])
    (whole,) = queries.nps_by(db.session, g.brand.id, None, since)
    charts = {name: chart_of(name, rows) for name, rows in by.items()}
    return render_template(
        "surveys/results.html",
        whole=whole,
        by=by,
        charts=charts,
        days=days,
        windows=WINDOWS,
        most=None if request.args.get("all") else FIRST_GROUPS,
    )


NPS_COLUMNS = ("name", "answers", "promoters", "passives", "detractors", "nps", "interval_low", "interval_high")


def _split(row: Any) -> tuple[Any, ...]:
    score = [None if value is None else round(value, 1) for value in (row.nps, row.low, row.high)]
    return (row.promoters, row.passives, row.detractors, *score)


@blueprint.get("/console/surveys/hosted")
@staff()
def hosted() -> str:
    """The brand's surveys and how many answers each has."""
    return render_template("surveys/hosted.html", surveys=queries.surveys(db.session, g.brand))


@blueprint.route("/console/surveys/new", methods=["GET", "POST"])
@staff("admin", "marketer")
def new() -> ResponseReturnValue:
    """A new hosted survey."""
    form = SurveyForm()
    if request.method == "GET":
        return _form(form)
    return _save(form, None)


@blueprint.route("/console/surveys/<int:survey_id>", methods=["GET", "POST"])
@staff("admin", "marketer")
def edit(survey_id: int) -> ResponseReturnValue:
    """A survey's words, its link and its QR code."""
    survey = services.survey_of(db.session, g.brand, survey_id)
    if request.method == "POST":
        return _save(SurveyForm(), survey)
    words = {"question_en": survey.question.get("en", ""), "question_es": survey.question.get("es", "")}
    return _form(SurveyForm(formdata=None, obj=survey, data=words), survey)


def _form(form: SurveyForm, survey: Survey | None = None) -> str:
    address = survey_url(amplify().settings.base_url, g.brand, survey) if survey else ""
    return render_template("surveys/edit.html", form=form, survey=survey, address=address)


def _save(form: SurveyForm, survey: Survey | None) -> ResponseReturnValue:
    if not form.validate():
        return _form(form, survey), 422
    said: dict[str, Any] = {name: value or "" for name, value in form.data.items() if name != "csrf_token"}
    said["is_open"] = bool(said["is_open"])
    try:
        saved = services.save_survey(db.session, g.brand, survey, actor=g.actor, **said)
    except AmplifyError as refused:
        form[refused.field or "key"].errors = [refused.message]
        return _form(form, survey), refused.status
    db.session.commit()
    flash(_("The survey is saved."), "success")
    return redirect(url_for("surveys.console.edit", survey_id=saved.id), 303)


@blueprint.get("/console/surveys/<int:survey_id>/qr.svg")
@staff()
def qr(survey_id: int) -> Response:
    """The survey's address as a QR code, to print."""
    survey = services.survey_of(db.session, g.brand, survey_id)
    picture = BytesIO()
    segno.make(survey_url(amplify().settings.base_url, g.brand, survey), error="m").save(
        picture, kind="svg", scale=8, border=4
    )
    return Response(picture.getvalue(), mimetype="image/svg+xml")


def _tiles(session: Session, brand: Brand) -> list[panels.Tile]:
    """NPS: promoters minus detractors, of all who answered."""
    (found,) = queries.nps_by(session, brand.id, since=clock.now() - timedelta(days=30))
    if found.nps is None or found.low is None or found.high is None:
        return []
    interval = (signed(found.low), signed(found.high))
    made_of = found.promoters - found.detractors, found.n
    window, page = _l("last 30 days"), "/console/surveys/results"
    return [panels.Tile("NPS", signed(found.nps), *made_of, window, interval, small_n=found.is_small, href=page)]


panels.add_tiles("nps", 10, _tiles)
