"""Appeals of single visits and purchases for staff: the queue, one with its evidence, and the answer; and any
advocate's explanation as staff see it."""

from collections.abc import Iterator
from typing import Any, Literal

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from amplify.accounts import panels
from amplify.accounts.queries import actor_names
from amplify.brands.models import Brand
from amplify.core import clock, nav
from amplify.core.boundary import parse_query
from amplify.core.db import db
from amplify.core.errors import NotFound
from amplify.core.forms import Form
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.i18n import ngettext
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.fraud.answering import applied, choice_field, text_field
from amplify.fraud.answering import listing as paged
from amplify.leaderboards import appeals, queue
from amplify.leaderboards.appealable import appeals_of, thing_about
from amplify.leaderboards.explain import Line, why
from amplify.leaderboards.models import EntryAppeal
from amplify.leaderboards.places import places
from amplify.leaderboards.wording import CAUSES, OUTCOMES, TAKEN_BACK, THINGS, WINDOWS, state_words, words_of
from amplify.sharing.models import Advocate
from amplify.tracking.console import channel_label

blueprint = Blueprint("entry_appeals", __name__, url_prefix="/console")
nav.add("entry_appeals.listing", _l("Appeals"), "flag", order=56)

SHOWN = {"open": _l("To answer"), "accepted": _l("Agreed"), "rejected": _l("It stays as it is"), "all": _l("All")}
HEADER = (_l("When"), _l("Advocate"), _l("About"), _l("Wish"), _l("They say"), _l("State"), _l("Answer"))
WISHES = {True: _l("It should count"), False: _l("It should not count")}
LINES = 200
LINE_HEADER = (
    _l("When"), _l("What"), _l("Channel"), _l("About"), _l("Points then"), _l("Points now"), _l("Taken back"),
)  # fmt: skip


class Choice(BaseModel):
    """The query of the list."""

    show: Literal["open", "accepted", "rejected", "all"] = "open"
    page: int = Field(1, ge=1, le=100_000)


class AnswerForm(Form):
    """The answer to an appeal."""

    outcome = choice_field(_l("Answer"), accepted=_l("They are right: put it right"), rejected=_l("It stays as it is"))
    reason = text_field(_l("Reason"), _l("The person reads it. It is kept in the audit log too."))


@blueprint.get("/appeals")
@staff()
def listing() -> str:
    """The queue: the oldest first, while they wait."""
    wanted = parse_query(Choice, request)
    rows, total = queue.page(db.session, g.brand.id, wanted.show, wanted.page)
    words = {"shown": SHOWN, "things": THINGS, "wishes": WISHES, "outcomes": OUTCOMES}
    return paged("leaderboards/appeals.html", rows, total, wanted, **words)


@blueprint.get("/appeals.csv")
@staff()
def listing_csv() -> Response:
    """The same as a file, all of it."""
    rows = queue.every(db.session, g.brand.id, parse_query(Choice, request).show)
    return csv_response("appeals", HEADER, (_cells(row) for row in rows))


def _cells(row: queue.Row) -> list[Any]:
    said = row.appeal
    name, _tone = OUTCOMES[said.outcome]
    when = said.at.isoformat()
    return [when, row.name, said.subject, str(WISHES[said.wants_counted]), said.text, str(name), said.reason]


@blueprint.get("/appeals/<int:appeal_id>")
@staff()
def one(appeal_id: int) -> str:
    """One appeal with its evidence."""
    return _one(appeals.appeal_of(db.session, g.brand.id, appeal_id), AnswerForm(formdata=None))


@blueprint.post("/appeals/<int:appeal_id>")
@staff("admin")
def answer(appeal_id: int) -> ResponseReturnValue:
    """Agree, or leave it as it is."""
    found, form = appeals.appeal_of(db.session, g.brand.id, appeal_id), AnswerForm()

    def apply() -> None:
        is_accepted, reason = form.outcome.data == "accepted", form.reason.data
        appeals.answer(db.session, found, is_accepted=is_accepted, actor=g.actor, reason=reason)

    if (status := applied(form, apply)) is not None:
        return _one(found, form), status
    db.session.commit()
    flash(_("The appeal is answered."), "success")
    return redirect(url_for(".one", appeal_id=found.id), 303)


def _one(found: EntryAppeal, form: Form) -> str:
    thing = thing_about(db.session, found)
    return render_template(
        "leaderboards/appeal.html",
        appeal=found,
        name=found.advocate.public_name,
        thing=thing,
        verdict=words_of(thing.kind, thing.verdict),
        state=state_words(thing),
        actors=actor_names(db.session, g.brand.id),
        form=form,
        things=THINGS,
        wishes=WISHES,
        outcomes=OUTCOMES,
        channel=channel_label(thing.link.channel),
    )


@blueprint.get("/advocates/<int:advocate_id>/why")
@staff()
def explanation(advocate_id: int) -> str:
    """What the advocate's score is made of, what did not count, and what they told us about it."""
    advocate = _advocate(advocate_id)
    explained = why(db.session, advocate, clock.now())
    return render_template(
        "leaderboards/staff_why.html",
        advocate=advocate,
        name=advocate.public_name,
        places=[(WINDOWS[str(one.days or "all")], one) for one in places(db.session, advocate)],
        why=explained,
        lines=explained.counted[:LINES],
        not_counted=[(one, words_of(one.what, one.verdict)) for one in explained.not_counted],
        appeals=appeals_of(db.session, advocate.id),
        causes=CAUSES,
        taken_back=TAKEN_BACK,
        things=THINGS,
        wishes=WISHES,
        outcomes=OUTCOMES,
        channel_label=channel_label,
    )


@blueprint.get("/advocates/<int:advocate_id>/why.csv")
@staff()
def explanation_csv(advocate_id: int) -> Response:
    """Every entry as a file."""
    explained = why(db.session, _advocate(advocate_id), clock.now())
    return csv_response("why", LINE_HEADER, _line_cells([*explained.counted, *explained.recognised]))


def _line_cells(lines: list[Line]) -> Iterator[list[Any]]:
    for line in lines:
        taken = TAKEN_BACK.get(line.taken_back_by, line.taken_back_by) if line.taken_back_by else ""
        what, channel = CAUSES.get(line.cause, line.cause), line.channel and channel_label(line.channel)
        points = line.milli_points / 1000, line.worth_hundredths / 100
        yield [line.occurred_at.isoformat(), str(what), str(channel), line.subject, *points, str(taken)]


def _advocate(advocate_id: int) -> Advocate:
    found = db.session.get(Advocate, advocate_id)
    if found is None or found.brand_id != g.brand.id:
        raise NotFound(_l("There is no such advocate."))
    return found


def _waiting(session: Session, brand: Brand) -> panels.Step | None:
    waiting = queue.waiting(session, brand.id)
    if not waiting:
        return None
    title = ngettext("%(num)s appeal to answer", "%(num)s appeals to answer", waiting)
    text = _l("Advocates say that single visits or purchases were judged wrongly.")
    return panels.Step(title, text, url_for("entry_appeals.listing"), _l("Open the appeals"), "flag")


panels.add_step("appeals", 6, _waiting)
