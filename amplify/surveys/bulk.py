"""Stores thousands of answers in a few statements: places, people and answers each looked up and inserted as sets."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from amplify.brands.models import Brand, BusinessLine, Location
from amplify.brands.services import slugify
from amplify.core import clock, events
from amplify.core.bulk import insert_ignore
from amplify.customers.bulk import Person, find_or_create_many
from amplify.surveys.events import SurveyAnswered
from amplify.surveys.mapping import Mapping
from amplify.surveys.models import Response
from amplify.surveys.rows import Problem, Taken
from amplify.surveys.schemas import ResponseIn
from amplify.surveys.services import columns

CONFLICT = "same-id-other-content"


@dataclass
class Sorted:
    """Answers, sorted by what is stored already: those to store (`versions` of them are edits of stored answers), how
    many are known, and conflicts as problems."""

    new: list[Taken] = field(default_factory=list)
    versions: int = 0
    known: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass
class _Stored:
    """What is stored under one id: the latest revision, and the digest of each."""

    revision: int = 0
    digests: set[str] = field(default_factory=set)


def sort_out(session: Session, brand: Brand, chosen: Mapping, taken: Sequence[Taken], column: str) -> Sorted:
    """Compare with what is stored. What equals any version of its answer is known, so an older file changes nothing.

    The same id with other content is the answer's next version if the mapping says so, else a problem of `column`,
    the id's own.
    """
    stored = _stored(session, brand, chosen.source, [one.answer.external_id for one in taken])
    found = Sorted()
    for one in taken:
        before = stored[one.answer.external_id]
        if one.body_hash in before.digests:
            found.known += 1
        elif before.revision and chosen.on_conflict == "refuse":
            words = "An answer with this id is stored with other content."
            found.problems.append(Problem(one.line, column, CONFLICT, words, one.answer.external_id))
        else:
            found.versions += before.revision > 0
            before.revision += 1
            before.digests.add(one.body_hash)
            found.new.append(replace(one, answer=one.answer.model_copy(update={"revision": before.revision})))
    return found


def _stored(session: Session, brand: Brand, source: str, ids: Sequence[str]) -> defaultdict[str, _Stored]:
    mine = sa.select(Response.external_id, Response.revision, Response.body_hash).where(
        Response.brand_id == brand.id, Response.source == source, Response.external_id.in_(ids)
    )
    found: defaultdict[str, _Stored] = defaultdict(_Stored)
    for one in session.execute(mine):
        known = found[one.external_id]
        known.revision = max(known.revision, one.revision)
        known.digests.add(one.body_hash)
    return found


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
    _supersede(session, brand, source, [answer.external_id for answer in answers if answer.revision > 1])
    if ask:
        _publish(session, brand, source, [answer.external_id for answer in answers])
    return new


def _supersede(session: Session, brand: Brand, source: str, ids: Sequence[str]) -> None:
    """Of these answers only the latest version counts."""
    if not ids:
        return
    later = aliased(Response)
    same = (later.brand_id == brand.id, later.source == source, later.external_id == Response.external_id)
    earlier = (
        sa.update(Response)
        .where(Response.brand_id == brand.id, Response.source == source, Response.external_id.in_(ids))
        .where(Response.superseded_at.is_(None), sa.exists().where(*same, later.revision > Response.revision))
        .values(superseded_at=clock.now())
    )
    session.execute(earlier.execution_options(synchronize_session=False))


def _person(answer: ResponseIn) -> Person:
    who = answer.customer
    return Person(
        external_id=who.external_id,
        email=who.email,
        name=who.name,
        locale=who.locale or answer.locale,
        timezone=who.timezone,
        phone=who.phone,
        consent=who.consent,
        sms_consent=who.sms_consent,
    )


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
        Response.brand_id == brand.id,
        Response.source == source,
        Response.external_id.in_(ids),
        Response.superseded_at.is_(None),
    )
    for response in session.scalars(mine.order_by(Response.id)):
        events.publish(session, SurveyAnswered(response))
