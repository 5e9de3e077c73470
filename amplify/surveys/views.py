"""The hosted survey: one page with the scale and a comment, which works without script and without a cookie."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from amplify.brands.services import brand_by_slug
from amplify.core.db import db
from amplify.core.errors import Gone
from amplify.core.i18n import best_language, get_locale
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import public
from amplify.core.web import amplify
from amplify.surveys import console, console_imports, hosted, links, queries
from amplify.surveys.hosted import FORM_PURPOSE, THANKS_PURPOSE
from amplify.surveys.links import Link, read_link
from amplify.surveys.models import Response, Survey
from amplify.surveys.next_step import next_step
from amplify.surveys.services import record_edit, survey_by_key

blueprint = Blueprint("surveys", __name__)
blueprint.register_blueprint(console.blueprint)
blueprint.register_blueprint(console_imports.blueprint)


def _open(brand: str, survey: str) -> tuple[Survey, Link]:
    """The survey and what its address says; the page speaks as the brand. Raises NotFound, Gone."""
    g.brand = brand_by_slug(db.session, brand)
    found = survey_by_key(db.session, g.brand, survey)
    if not found.is_open:
        raise Gone(_l("This survey is closed. Thank you for wanting to answer."), rule="survey-closed")
    link = read_link(db.session, g.brand, found, amplify().signer(links.PURPOSE), request.args)
    if link.customer and not request.cookies.get("lang"):
        g.language = link.customer.locale  # the mail that led here was in their language
    return found, link


def _locale() -> str:
    return best_language(str(get_locale()), best_language(g.brand.default_locale))


def _page(survey: Survey, errors: dict[str, str], score: object, comment: str = "", confirms: bool = False) -> str:
    return render_template(
        "surveys/survey.html",
        survey=survey,
        question=hosted.question_of(g.brand, survey, _locale()),
        form=hosted.form_token(amplify().signer(FORM_PURPOSE), survey),
        errors=errors,
        score=score,
        comment=comment,
        confirms=confirms,
    )


@blueprint.get("/b/<brand>/survey/<survey>")
@public()
def ask(brand: str, survey: str) -> ResponseReturnValue:
    """The question. A score in the address (a click in a mail) is chosen already, but nothing is stored yet."""
    found, link = _open(brand, survey)
    if link.is_off_scale:
        question = hosted.question_of(g.brand, found, _locale())
        low, high = question.values[0], question.values[-1]
        errors = {"score": _("Please choose a number from %(low)s to %(high)s.", low=low, high=high)}
        return _page(found, errors, None), 422
    return _page(found, {}, link.score, confirms=link.score is not None)


# No token of ours that needs a cookie: nothing is done in anybody's name here, and a survey opened inside a mail
# program often has none. The form's own signed number makes a repeated one harmless.
@blueprint.post("/b/<brand>/survey/<survey>")
@public(csrf=False)
def answer(brand: str, survey: str) -> ResponseReturnValue:
    """Store the answer once, then lead on: a promoter to sharing, everybody else to a thank-you."""
    found, link = _open(brand, survey)
    score, comment = request.form.get("score", ""), request.form.get("comment", "")
    nonce = hosted.nonce_of(amplify().signer(FORM_PURPOSE), found, request.form.get("form", ""))
    if nonce is None:
        words = _("This page was open for a long time. Please send your answer once more.")
        return _page(found, {"form": words}, score, comment), 422
    try:
        given = hosted.answer_of(found, link, nonce, _locale(), score, comment)
    except ValidationError as error:
        question = hosted.question_of(g.brand, found, _locale())
        return _page(found, hosted.words_for(error, question), score, comment), 422
    response = record_edit(db.session, g.brand, given, customer=link.customer, survey=found).response
    onward = next_step(db.session, response) if response.is_promoter else None
    db.session.commit()
    return redirect(onward or _thanks_address(found, response), 303)


def _thanks_address(survey: Survey, response: Response) -> str:
    token = hosted.thanks_token(amplify().signer(THANKS_PURPOSE), response)
    lang = request.args.get("lang")
    return url_for("surveys.thanks", brand=g.brand.slug, survey=survey.key, token=token, lang=lang)


@blueprint.get("/b/<brand>/survey/<survey>/thanks/<token>")
@public()
def thanks(brand: str, survey: str, token: str) -> str:
    """A thank-you that fits the answer."""
    g.brand = brand_by_slug(db.session, brand)
    found = survey_by_key(db.session, g.brand, survey)
    response_id = amplify().signer(THANKS_PURPOSE).read(token)
    response = queries.response_of(db.session, g.brand.id, response_id)
    return render_template("surveys/thanks.html", survey=found, response=response)
