"""Stores thousands of answers in a few statements: places, people and answers each looked up and inserted as sets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand, BusinessLine, Location
from amplify.brands.services import slugify
from amplify.core import events
from amplify.core.db import insert_ignore
from amplify.customers.bulk import Person, find_or_create_many
from amplify.surveys.events import SurveyAnswered
from amplify.surveys.models import Response
from amplify.surveys.rows import Problem, Taken
from amplify.surveys.schemas import ResponseIn
from amplify.surveys.services import columns

CONFLICT = "same-id-other-content"


@dataclass
class Sorted:
    """Answers, sorted by what is stored already: new ones, how many are known, and conflicts as problems."""

    new: list[Taken] = field(default_factory=list)
    known: int = 0
    problems: list[Problem] = field(default_factory=list)


def sort_out(session: Session, brand: Brand, source: str, taken: Sequence[Taken], column: str) -> Sorted:
    """Compare with what is stored. The same id with other content is a problem of `column`, the id's own."""
    stored = _stored(session, brand, source, [one.answer.external_id for one in taken])
    found = Sorted()
    for one in taken:
        before = stored.get(one.answer.external_id)
        if before is None:
            stored[one.answer.external_id] = one.body_hash
            found.new.append(one)
        elif before == one.body_hash:
            found.known += 1
        else:
            words = "An answer with this id is stored with other content."
            found.problems.append(Problem(one.line, column, CONFLICT, words, one.answer.external_id))
    return found


def _stored(session: Session, brand: Brand, source: str, ids: Sequence[str]) -> dict[str, str]:
    mine = sa.select(Response.external_id, Response.body_hash).where(
        Response.brand_id == brand.id,
        Response.source == source,
        Response.external_id.in_(ids),
        Response.revision == 1,
    )
    return {one.external_id: one.body_hash for one in session.execute(mine)}


def store(session: Session, brand: Brand, taken: Sequence[Taken], *, ask: bool) -> int:
    """Insert answers that `sort_out` found new; returns how many were. With `ask`, publishes each SurveyAnswered."""
    if not taken:
        return 0
    answers = [one.answer for one in taken]
    source = answers[0].source
    people = _people(session, brand, answers, source)
    lines = ensure_places(session, brand.id, BusinessLine, (a.business_line for a in answers))
    places = ensure_places(session, brand.id, Location, (a.location for a in answers))
    rows = [
        {
            **columns(brand, one.answer, one.body_hash),
            "customer_id": people.get(_person(one.answer)),
            "business_line_id": lines.get(one.answer.business_line or ""),
            "location_id": places.get(one.answer.location or ""),
        }
        for one in taken
    ]
    new = insert_ignore(session, Response, rows)
    if ask:
        _publish(session, brand, source, [answer.external_id for answer in answers])
    return new


def _person(answer: ResponseIn) -> Person:
    who = answer.customer
    return Person(who.external_id, who.email, who.name, who.locale or answer.locale, who.timezone, who.consent)


def _people(session: Session, brand: Brand, answers: Sequence[ResponseIn], source: str) -> dict[Person, int]:
    people = [_person(answer) for answer in answers if answer.customer.has_contact]
    return find_or_create_many(session, brand, people, consent_source=source) if people else {}


def known_places(session: Session, brand_id: int, model: Any, names: Iterable[str | None]) -> dict[str, int]:
    """Ids of the brand's business lines or locations, by the name a source gives them; only those that there are."""
    keys = {name: slugify(name) for name in names if name}
    if not keys:
        return {}
    mine = sa.select(model.key, model.id).where(model.brand_id == brand_id, model.key.in_(set(keys.values())))
    ids = {one.key: one.id for one in session.execute(mine)}
    return {name: ids[key] for name, key in keys.items() if key in ids}


def ensure_places(session: Session, brand_id: int, model: Any, names: Iterable[str | None]) -> dict[str, int]:
    """Ids of the brand's business lines or locations, by the name a source gives them; missing ones are made."""
    wanted = {name for name in names if name}
    known = known_places(session, brand_id, model, wanted)
    # In order, so that two imports at once do not wait for each other in a circle.
    missing = {slugify(name): name for name in sorted(wanted - known.keys(), reverse=True)}
    if not missing:
        return known
    rows = [{"brand_id": brand_id, "key": key, "name": name} for key, name in sorted(missing.items())]
    insert_ignore(session, model, rows)
    return known_places(session, brand_id, model, wanted)


def _publish(session: Session, brand: Brand, source: str, ids: Sequence[str]) -> None:
    mine = sa.select(Response).where(
        Response.brand_id == brand.id, Response.source == source, Response.external_id.in_(ids)
    )
    for response in session.scalars(mine.order_by(Response.id)):
        events.publish(session, SurveyAnswered(response))
