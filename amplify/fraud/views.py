"""The review queue for staff: cases by score with their reasons, decisions one by one and by threshold, appeals."""

from typing import Any, Literal

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from amplify.accounts import panels
from amplify.accounts.queries import actor_names
from amplify.brands.models import Brand
from amplify.core import nav
from amplify.core.boundary import parse_query
from amplify.core.charts import Chart, Series
from amplify.core.db import db
from amplify.core.forms import Form
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.i18n import ngettext
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.core.ui import moment
from amplify.fraud import queries, services
from amplify.fraud.answering import applied
from amplify.fraud.answering import listing as paged
from amplify.fraud.forms import AnswerForm, BulkForm, DecisionForm
from amplify.fraud.models import RiskCase
from amplify.fraud.wording import KINDS, OUTCOMES, STATES, reason_words

blueprint = Blueprint("fraud", __name__, url_prefix="/console/fraud")
nav.add("fraud.listing", _l("Fraud review"), "shield-check", order=55)

SHOWN = {
    "open": _l("To decide"),
    "appealed": _l("Appeals"),
    "refused": _l("Refused"),
    "accepted": _l("Accepted"),
    "all": _l("All"),
}
HEADER = (
    _l("Risk"), _l("Kind"), _l("Advocate"), _l("Day"), _l("Order"), _l("State"), _l("Reasons"), _l("Rules"),
    _l("Scored"),
)  # fmt: skip


class Choice(BaseModel):
    """The query of the list."""

    show: Literal["open", "appealed", "refused", "accepted", "all"] = "open"
    page: int = Field(1, ge=1, le=100_000)


@blueprint.get("")
@staff()
def listing() -> str:
    """The queue."""
    wanted = parse_query(Choice, request)
    rows, total = queries.queue(db.session, g.brand.id, show=wanted.show, page=wanted.page)
    words = {"shown": SHOWN, "kinds": KINDS, "states": STATES, "words": reason_words}
    return paged("fraud/queue.html", rows, total, wanted, **words)


@blueprint.get("/list.csv")
@staff()
def listing_csv() -> Response:
    """The same as a file, all of it."""
    rows = queries.every_row(db.session, g.brand.id, show=parse_query(Choice, request).show)
    return csv_response("fraud", HEADER, (_cells(row) for row in rows))


def _cells(row: queries.Row) -> list[Any]:
    case = row.case
    reasons = "; ".join(f"{reason_words(reason)} (+{reason['points']})" for reason in case.reasons)
    name, _tone = STATES[case.state]
    return [
        case.score, str(KINDS[case.kind]), row.name, case.day, row.order, str(name), reasons, case.rules_version,
        case.scored_at.isoformat(),
    ]  # fmt: skip


@blueprint.get("/<int:case_id>")
@staff()
def one(case_id: int) -> str:
    """One case: what was noticed, when it happened, who decided what."""
    case = services.case_of(db.session, g.brand.id, case_id)
    return _one(case, DecisionForm(formdata=None), AnswerForm(formdata=None))


def _one(case: RiskCase, decision: Form, answer: Form) -> str:
    others = {who for reason in case.reasons for who in reason["others"]}
    return render_template(
        "fraud/case.html",
        row=queries.row_of(db.session, case),
        names=queries.names(db.session, g.brand.id, others),
        decisions=queries.decisions(db.session, case),
        appeals=queries.appeals(db.session, case),
        actors=actor_names(db.session, g.brand.id),
        chart=_chart(case),
        kinds=KINDS,
        states=STATES,
        outcomes=OUTCOMES,
        words=reason_words,
        form=decision,
        answer=answer,
    )


def _chart(case: RiskCase) -> Chart | None:
    hours = queries.hours(db.session, case)
    if not hours:
        return None
    series = [
        Series(_("Human clicks"), [row.clicks for row in hours], "accent"),
        Series(_("Purchases"), [row.orders for row in hours], "promoter"),
    ]
    note = _("Only hours in which something happened.")
    return Chart("columns", _("Hour by hour"), _("Hour"), [moment(row.hour) for row in hours], series, note=note)


@blueprint.post("/<int:case_id>/decide")
@staff("admin")
def decide(case_id: int) -> ResponseReturnValue:
    """Accept or refuse one case."""
    case, form = services.case_of(db.session, g.brand.id, case_id), DecisionForm()

    def apply() -> None:
        verdict, reason = form.verdict.data, form.reason.data
        services.decide(db.session, case, verdict, actor=g.actor, reason=reason)

    if (status := applied(form, apply)) is not None:
        return _one(case, form, AnswerForm(formdata=None)), status
    return _done(_("The decision is in force."), case.id)


@blueprint.post("/appeals/<int:appeal_id>")
@staff("admin")
def answer(appeal_id: int) -> ResponseReturnValue:
    """Answer an appeal."""
    found, form = services.appeal_of(db.session, g.brand.id, appeal_id), AnswerForm()

    def apply() -> None:
        is_accepted, reason = form.outcome.data == "accepted", form.reason.data
        services.answer_appeal(db.session, found, is_accepted=is_accepted, actor=g.actor, reason=reason)

    if (status := applied(form, apply)) is not None:
        case = services.case_of(db.session, g.brand.id, found.case_id)
        return _one(case, DecisionForm(formdata=None), form), status
    return _done(_("The appeal is answered."), found.case_id)


@blueprint.get("/bulk")
@staff("admin")
def bulk() -> str:
    """The form for many decisions at once."""
    return render_template("fraud/bulk.html", form=BulkForm(formdata=None), found=None)


@blueprint.post("/bulk")
@staff("admin")
def decide_many() -> ResponseReturnValue:
    """Show how many a decision by threshold would decide, then decide them."""
    form = BulkForm()
    found: list[services.Bulk] = []

    def apply() -> None:
        limits = {"accept_below": form.accept_below.data, "refuse_above": form.refuse_above.data}
        if request.form.get("sure") == "1":
            more = {"actor": g.actor, "reason": form.reason.data}
            found.append(services.decide_many(db.session, g.brand.id, **limits, **more))
        else:
            found.append(services.bulk(db.session, g.brand.id, **limits))

    if (status := applied(form, apply)) is not None:
        return render_template("fraud/bulk.html", form=form, found=None), status
    if request.form.get("sure") != "1":
        return render_template("fraud/bulk.html", form=form, found=found[0])
    decided = found[0].accepted + found[0].refused
    return _done(ngettext("%(num)s case is decided.", "%(num)s cases are decided.", decided))


def _done(message: str, case_id: int | None = None) -> ResponseReturnValue:
    db.session.commit()
    flash(message, "success")
    return redirect(url_for(".one", case_id=case_id) if case_id else url_for(".listing"), 303)


def _review(session: Session, brand: Brand) -> panels.Step | None:
    waiting = queries.open_count(session, brand.id)
    if not waiting:
        return None
    title = ngettext("%(num)s case to decide", "%(num)s cases to decide", waiting)
    text = _l("Points and rewards of these wait until somebody of you has looked.")
    return panels.Step(title, text, url_for("fraud.listing"), _l("Open the review"), "shield-check")


panels.add_step("fraud", 5, _review)
