"""The hosted survey, apart from HTTP: which question is asked in which words, and what a sent form says."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from amplify.brands.models import Brand
from amplify.core.boundary import faults_of
from amplify.core.errors import AmplifyError
from amplify.core.i18n import gettext as _
from amplify.core.tokens import BASE58, Signer, short_code
from amplify.surveys.links import Link
from amplify.surveys.models import SCALES, Response, Survey
from amplify.surveys.schemas import MAX_COMMENT, ResponseIn

FORM_PURPOSE = "survey-form"
THANKS_PURPOSE = "survey-thanks"
FORM_DAYS = 7
NONCE_LENGTH = 22  # base58: 128 bits, so that nobody answers in another's name
NONCE = re.compile(f"[{BASE58}]{{{NONCE_LENGTH}}}")


@dataclass(frozen=True)
class Question:
    """The question as it stands on the page: the scale's values and what its ends mean."""

    text: str
    values: range
    low: str
    high: str


def question_of(brand: Brand, survey: Survey, locale: str) -> Question:
    """The survey's own words in this language, or the standard question of its scale."""
    lowest, highest = SCALES[survey.scale]
    own = str(survey.question.get(locale) or "").strip()
    if survey.scale == "nps":
        text = _("How likely are you to recommend %(brand)s to a friend?", brand=brand.name)
        low, high = _("%(score)s: not at all likely", score=lowest), _("%(score)s: extremely likely", score=highest)
    else:
        text = _("How satisfied are you with %(brand)s?", brand=brand.name)
        low, high = _("%(score)s: very dissatisfied", score=lowest), _("%(score)s: very satisfied", score=highest)
    return Question(own or text, range(lowest, highest + 1), low, high)


def form_token(signer: Signer, survey: Survey) -> str:
    """What the form carries, so that sending it twice is one answer. `signer` is of FORM_PURPOSE."""
    return signer.sign([survey.id, short_code(NONCE_LENGTH)])


def nonce_of(signer: Signer, survey: Survey, token: str) -> str | None:
    """The form's own id; None if the form is not ours, not this survey's, or too old."""
    try:
        survey_id, nonce = signer.read(token, max_age_days=FORM_DAYS)
    except (AmplifyError, TypeError, ValueError):
        return None
    return nonce if survey_id == survey.id and NONCE.fullmatch(str(nonce)) else None


def answer_of(survey: Survey, link: Link, nonce: str, locale: str, score: str, comment: str) -> ResponseIn:
    """The sent form as an answer. Raises ValidationError; `words_for` says it to people."""
    given: dict[str, Any] = {
        "source": f"hosted:{survey.key}",
        "external_id": f"invitation-{link.invitation}" if link.invitation else nonce,
        "scale": survey.scale,
        "comment": comment,
        "business_line": link.business_line.key if link.business_line else None,
        "location": link.location.key if link.location else None,
        "employee_key": link.employee_key,
        "touchpoint": link.touchpoint,
        "locale": locale,
    }
    if score.isascii() and score.isdigit() and len(score) <= 4:
        given["given"] = int(score)
    return ResponseIn.model_validate(given)


def words_for(error: ValidationError, question: Question) -> dict[str, str]:
    """What is wrong, for people: "score" or "comment" -> sentence."""
    found = {}
    for fault in faults_of(error):
        if fault.field == "given":
            found["score"] = _(
                "Please choose a number from %(low)s to %(high)s.", low=question.values[0], high=question.values[-1]
            )
        elif fault.rule == "string-too-long":
            found["comment"] = _("Please keep it below %(number)s characters.", number=MAX_COMMENT)
        else:
            found["comment"] = _("Please leave out characters that cannot be printed.")
    return found


def thanks_token(signer: Signer, response: Response) -> str:
    """Names the answer to thank for. `signer` is of THANKS_PURPOSE."""
    return signer.sign(response.id)
