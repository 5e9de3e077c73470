"""Where a person looks at single visits and purchases of theirs, and tells us that one was judged wrongly."""

from typing import Literal

from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field

from amplify.core.boundary import parse_query
from amplify.core.db import db
from amplify.core.errors import NotFound
from amplify.core.forms import Form
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import public
from amplify.fraud.answering import applied, text_field
from amplify.leaderboards import appeals
from amplify.leaderboards.appealable import Thing, appeals_about, kept, thing_of
from amplify.leaderboards.visiting import private, visit_of
from amplify.leaderboards.wording import OUTCOMES, THINGS, state_words, words_of
from amplify.sharing.tokens import Visit
from amplify.tracking.console import channel_label

blueprint = Blueprint("appeals", __name__, url_prefix="/board/<token>/why")


class KeptFilter(BaseModel):
    """The query of the list."""

    what: Literal["click", "conversion"] = "click"
    verdict: str = Field("human", min_length=1, max_length=80)
    page: int = Field(1, ge=1, le=100_000)


class AppealForm(Form):
    """What the person says."""

    text = text_field(
        _l("Is this a mistake? Tell us why."),
        _l("For example: “This was my friend Ana, not a machine.” Somebody of the brand reads it and answers."),
    )


@blueprint.get("/list")
@public()
def listing(token: str) -> Response:
    """Single visits or purchases with one verdict, the latest first."""
    visit, wanted = visit_of(token), parse_query(KeptFilter, request)
    rows, is_more = kept(db.session, visit.advocate.id, wanted.what, wanted.verdict, wanted.page)
    page = render_template(
        "leaderboards/kept.html",
        token=token,
        rows=rows,
        wanted=wanted,
        pages=wanted.page + is_more,
        words=words_of(wanted.what, wanted.verdict),
        things=THINGS,
        outcomes=OUTCOMES,
        channel_label=channel_label,
    )
    return private(page)


@blueprint.get("/<subject>")
@public()
def one(token: str, subject: str) -> Response:
    """One visit or purchase: what it was judged to be, what was said about it, and what was answered."""
    visit = visit_of(token)
    return private(_page(token, _mine(visit, subject), AppealForm(formdata=None)))


@blueprint.post("/<subject>")
@public()
def appeal(token: str, subject: str) -> ResponseReturnValue:
    """Tell us."""
    visit, form = visit_of(token), AppealForm()
    thing = _mine(visit, subject)

    def apply() -> None:
        appeals.appeal(db.session, visit.advocate, thing.subject, form.text.data)

    if (status := applied(form, apply)) is not None:
        return _page(token, thing, form), status
    db.session.commit()
    return redirect(f"/board/{token}/why#appeals", 303)


def _mine(visit: Visit, subject: str) -> Thing:
    thing = thing_of(db.session, visit.advocate.brand_id, subject)
    if thing.link.advocate_id != visit.advocate.id:
        raise NotFound(_l("There is no such visit or purchase."), field="subject", rule="subject-unknown")
    return thing


def _page(token: str, thing: Thing, form: Form) -> str:
    return render_template(
        "leaderboards/thing.html",
        token=token,
        thing=thing,
        said=appeals_about(db.session, [thing.subject]).get(thing.subject),
        state=state_words(thing),
        form=form,
        things=THINGS,
        outcomes=OUTCOMES,
        channel=channel_label(thing.link.channel),
    )
