"""Storing answers: each once, whatever repeats it; a later edit is a new revision and the earlier one stays."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.brands.models import Brand
from amplify.brands.services import ensure_business_line, ensure_location
from amplify.core import clock, events
from amplify.core.db import is_sqlite
from amplify.core.errors import Conflict, NotFound
from amplify.core.i18n import best_language
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers import services as customers
from amplify.customers.models import Customer
from amplify.surveys.events import SurveyAnswered
from amplify.surveys.models import Response, Survey, normalised
from amplify.surveys.schemas import ResponseIn


@dataclass(frozen=True)
class Recorded:
    """What became of an answer: the row that holds it, and whether this call stored it."""

    response: Response
    is_new: bool


def record_response(
    session: Session,
    brand: Brand,
    answer: ResponseIn,
    *,
    customer: Customer | None = None,
    survey: Survey | None = None,
) -> Recorded:
    """Store an answer once and publish SurveyAnswered if it is new.

    The same source, external id and revision with the same content, or a revision older than the latest, gives
    the row that is there. A higher revision supersedes the earlier ones. `customer` is somebody already known
    (from a signed link); otherwise `answer.customer` is found or created, if there is any contact.

    Raises Conflict for the same identity with other content; the audit entry about it is in the session, so the
    caller commits before it answers.
    """
    _take_turns(session, brand, answer)
    known = _revisions(session, brand, answer)
    same = next((row for row in known if row.revision == answer.revision), None)
    if same is not None:
        _check_same(session, same, answer)
        return Recorded(same, is_new=False)
    if known and known[0].revision > answer.revision:
        return Recorded(known[0], is_new=False)
    response = _new_row(session, brand, answer, customer, survey)
    for row in known:
        row.superseded_at = row.superseded_at or clock.now()
    session.add(response)
    session.flush()
    events.publish(session, SurveyAnswered(response))
    return Recorded(response, is_new=True)


def record_edit(
    session: Session,
    brand: Brand,
    answer: ResponseIn,
    *,
    customer: Customer | None = None,
    survey: Survey | None = None,
) -> Recorded:
    """Store what a person sent on a page: the same again changes nothing, anything else is the next revision."""
    _take_turns(session, brand, answer)
    known = _revisions(session, brand, answer)
    if known and known[0].body_hash == answer.body_hash():
        return Recorded(known[0], is_new=False)
    revision = known[0].revision + 1 if known else 1
    edit = answer.model_copy(update={"revision": revision})
    return record_response(session, brand, edit, customer=customer, survey=survey)


def _take_turns(session: Session, brand: Brand, answer: ResponseIn) -> None:
    """Parallel copies of one answer wait for each other until commit, so the later one sees the earlier one's row."""
    if not is_sqlite(session):  # SQLite has one writer at a time anyway
        name = f"amplify.response.{brand.id}.{answer.source}.{answer.external_id}"
        session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def _revisions(session: Session, brand: Brand, answer: ResponseIn) -> list[Response]:
    """Every stored revision of this answer, the latest first."""
    mine = sa.select(Response).where(
        Response.brand_id == brand.id,
        Response.source == answer.source,
        Response.external_id == answer.external_id,
    )
    return list(session.scalars(mine.order_by(Response.revision.desc())))


def _check_same(session: Session, stored: Response, answer: ResponseIn) -> None:
    if stored.body_hash == answer.body_hash():
        return
    # Digests, not contents: the log of who tried what must not keep what people wrote.
    detail = {"source": answer.source, "external_id": answer.external_id, "revision": answer.revision}
    detail |= {"stored": stored.body_hash, "refused": answer.body_hash()}
    audit.record(session, stored.brand_id, answer.source, "response.conflicted", "response", str(stored.id), detail)
    raise Conflict(
        _l("An answer with this id is stored with other content. An edit needs a higher revision."),
        field="external_id",
        rule="same-id-other-content",
    )


def _new_row(
    session: Session, brand: Brand, answer: ResponseIn, customer: Customer | None, survey: Survey | None
) -> Response:
    person = customer or _person(session, brand, answer)
    line = ensure_business_line(session, brand.id, answer.business_line) if answer.business_line else None
    place = ensure_location(session, brand.id, answer.location) if answer.location else None
    return Response(
        **columns(brand, answer, answer.body_hash()),
        survey_id=survey.id if survey else None,
        customer=person,
        business_line=line,
        location=place,
    )


def _person(session: Session, brand: Brand, answer: ResponseIn) -> Customer | None:
    who = answer.customer
    if not who.has_contact:
        return None
    return customers.find_or_create(
        session,
        brand,
        external_id=who.external_id,
        email=who.email,
        name=who.name,
        locale=who.locale or answer.locale,
        timezone=who.timezone,
        phone=who.phone,
        consent=who.consent,
        sms_consent=who.sms_consent,
        consent_source=answer.source,
    )


def columns(brand: Brand, answer: ResponseIn, body_hash: str) -> dict[str, object]:
    """The answer's own columns of a row, with score and category by the brand's thresholds of this moment."""
    score = normalised(answer.scale, answer.given)
    now = clock.now()
    return {
        "brand_id": brand.id,
        "source": answer.source,
        "external_id": answer.external_id,
        "revision": answer.revision,
        "body_hash": body_hash,
        "employee_key": answer.employee_key,
        "touchpoint": answer.touchpoint,
        "scale": answer.scale,
        "given": answer.given,
        "score": score,
        "category": brand.category_of(score),
        "comment": answer.comment,
        "locale": best_language(answer.locale or answer.customer.locale, brand.default_locale),
        "answered_at": answer.answered_at or now,
        "received_at": now,
    }


def survey_by_key(session: Session, brand: Brand, key: str) -> Survey:
    """The brand's hosted survey. Raises NotFound."""
    found = session.scalar(sa.select(Survey).where(Survey.brand_id == brand.id, Survey.key == key))
    if found is None:
        raise NotFound(_l("There is no such survey."), rule="survey-unknown")
    return found


def ensure_survey(session: Session, brand: Brand, key: str, name: str) -> Survey:
    """The brand's survey of this key; a new one asks the standard NPS question."""
    found = session.scalar(sa.select(Survey).where(Survey.brand_id == brand.id, Survey.key == key))
    if found is None:
        found = Survey(brand_id=brand.id, key=key, name=name)
        session.add(found)
        session.flush()
    return found


def survey_of(session: Session, brand: Brand, survey_id: int) -> Survey:
    """The brand's hosted survey. Raises NotFound, also for another brand's."""
    found = session.scalar(sa.select(Survey).where(Survey.brand_id == brand.id, Survey.id == survey_id))
    if found is None:
        raise NotFound(_l("There is no such survey."), rule="survey-unknown")
    return found


def save_survey(
    session: Session,
    brand: Brand,
    survey: Survey | None,
    *,
    name: str,
    key: str,
    scale: str,
    question_en: str,
    question_es: str,
    touchpoint: str,
    is_open: bool,
    actor: str,
) -> Survey:
    """Make a hosted survey, or change one. Raises Conflict when the key is taken, or answers exist on another scale."""
    other = session.scalar(sa.select(Survey).where(Survey.brand_id == brand.id, Survey.key == key))
    if other is not None and other is not survey:
        raise Conflict(_l("There is a survey of this name already."), field="key", rule="unique")
    if survey is not None and survey.scale != scale and _has_answers(session, survey):
        raise Conflict(_l("There are answers on the old scale. Make a new survey."), field="scale", rule="has-answers")
    if survey is not None and survey.key != key and _has_answers(session, survey):
        message = _l("There are answers at the old address. It has to stay.")
        raise Conflict(message, field="key", rule="has-answers")
    action = "survey.changed" if survey else "survey.created"
    survey = survey or Survey(brand_id=brand.id)
    session.add(survey)
    survey.name, survey.key, survey.scale = name.strip(), key, scale
    survey.question = {k: v.strip() for k, v in (("en", question_en), ("es", question_es)) if v.strip()}
    survey.touchpoint, survey.is_open = touchpoint.strip(), is_open
    session.flush()
    audit.record(session, brand.id, actor, action, "survey", survey.id, {"key": key})
    return survey


def _has_answers(session: Session, survey: Survey) -> bool:
    return session.scalar(sa.select(Response.id).where(Response.survey_id == survey.id).limit(1)) is not None
