"""Answers from machines: one way in for the signed post and for the API, and how a stored answer is shown again."""

from collections.abc import Sequence

from amplify.brands.models import Brand
from amplify.core.db import db
from amplify.core.errors import Conflict
from amplify.surveys.models import Response
from amplify.surveys.schemas import AnswerIn, CustomerOut, ResponseIn, ResponseOut
from amplify.surveys.services import Recorded, record_response


def keep(brand: Brand, source: str, answers: Sequence[AnswerIn]) -> list[Recorded]:
    """Record every answer and commit: once this returns, they are stored.

    Raises Conflict; what was recorded before it, and the note about the conflict, are committed all the same.
    """
    try:
        kept = [record_response(db.session, brand, given_by(source, answer)) for answer in answers]
    except Conflict:
        db.session.commit()
        raise
    db.session.commit()
    return kept


def given_by(source: str, answer: AnswerIn) -> ResponseIn:
    """The answer with its source; it was checked when it was read."""
    return ResponseIn.model_construct(answer.model_fields_set | {"source"}, **dict(answer), source=source)


def shown(response: Response) -> ResponseOut:
    """A stored answer as the API shows it."""
    who = response.customer
    return ResponseOut(
        id=response.id,
        source=response.source,
        external_id=response.external_id,
        revision=response.revision,
        is_superseded=response.superseded_at is not None,
        scale=response.scale,
        given=response.given,
        score=response.score,
        category=response.category,
        comment=response.comment,
        customer=CustomerOut(external_id=who.external_id, email=who.email, name=who.name) if who else None,
        business_line=response.business_line.key if response.business_line else None,
        location=response.location.key if response.location else None,
        employee_key=response.employee_key,
        touchpoint=response.touchpoint,
        locale=response.locale,
        answered_at=response.answered_at,
        received_at=response.received_at,
    )
