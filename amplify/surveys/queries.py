"""Reading answers: lists with filters, and the NPS of a brand by business line and by location."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from amplify.brands.models import Brand, BusinessLine, Location
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.surveys import nps
from amplify.surveys.models import ImportProblem, ImportRun, Response, Survey
from amplify.surveys.nps import NpsRow

Dimension = Literal["business_line", "location"]
DIMENSIONS: dict[str, tuple[Any, Any]] = {
    "business_line": (BusinessLine, Response.business_line_id),
    "location": (Location, Response.location_id),
}


@dataclass(frozen=True)
class Wanted:
    """Which answers: every given value must fit; only the latest revision of each unless `with_superseded`."""

    category: str | None = None
    scale: str | None = None
    business_line: str | None = None
    location: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    with_superseded: bool = False


def nps_by(
    session: Session, brand_id: int, dimension: Dimension | None = None, since: datetime | None = None
) -> list[NpsRow]:
    """NPS of the brand, or of each of its business lines or locations, best first (few answers: last; see nps.ranked).

    Only answers on the 0-10 scale count, in their latest revision, answered at `since` or later. Answers without
    a line or location are left out of a breakdown.
    """
    counts = [_n("promoter"), _n("passive"), _n("detractor")]
    mine = _current(brand_id, since)
    if dimension is None:
        found = session.execute(mine.with_only_columns(*counts)).one()
        return [nps.row(None, None, *(int(n or 0) for n in found))]
    model, column = DIMENSIONS[dimension]
    by = mine.join(model, model.id == column).with_only_columns(model.key, model.name, *counts)
    rows = session.execute(by.group_by(model.id, model.key, model.name))
    return nps.ranked([nps.row(key, name, *(int(n) for n in split)) for key, name, *split in rows])


def _n(category: str) -> Any:
    return sa.func.sum(sa.case((Response.category == category, 1), else_=0))


def _current(brand_id: int, since: datetime | None) -> Any:
    mine = sa.select(Response).where(
        Response.brand_id == brand_id, Response.scale == "nps", Response.superseded_at.is_(None)
    )
    return mine if since is None else mine.where(Response.answered_at >= since)


def _matching(brand_id: int, wanted: Wanted) -> Any:
    """The brand's answers that fit."""
    found = sa.select(Response).where(Response.brand_id == brand_id)
    if not wanted.with_superseded:
        found = found.where(Response.superseded_at.is_(None))
    for name in ("category", "scale", "source"):
        if value := getattr(wanted, name):
            found = found.where(getattr(Response, name) == value)
    if wanted.business_line:
        found = found.join(Response.business_line).where(BusinessLine.key == wanted.business_line)
    if wanted.location:
        found = found.join(Response.location).where(Location.key == wanted.location)
    if wanted.since:
        found = found.where(Response.answered_at >= wanted.since)
    if wanted.until:
        found = found.where(Response.answered_at < wanted.until)
    if wanted.text:
        found = found.where(Response.comment.icontains(wanted.text, autoescape=True))
    return found


def _with_names(statement: Any) -> Any:
    return statement.options(
        joinedload(Response.business_line), joinedload(Response.location), joinedload(Response.customer)
    )


def page_of(
    session: Session, brand_id: int, wanted: Wanted, *, page: int, size: int = 50
) -> tuple[list[Response], int]:
    """One page of answers, the newest answer first, and how many there are in all. `page` counts from 1."""
    found = _matching(brand_id, wanted)
    total = session.scalar(found.with_only_columns(sa.func.count(Response.id))) or 0
    newest = _with_names(found).order_by(Response.answered_at.desc(), Response.id.desc())
    return list(session.scalars(newest.limit(size).offset((page - 1) * size))), total


def after_cursor(
    session: Session, brand_id: int, wanted: Wanted, *, cursor: int | None, limit: int
) -> tuple[list[Response], int | None]:
    """At most `limit` answers, the newest stored first, from `cursor` on; and the next cursor, None at the end."""
    found = _with_names(_matching(brand_id, wanted)).order_by(Response.id.desc())
    if cursor is not None:
        found = found.where(Response.id < cursor)
    rows = list(session.scalars(found.limit(limit + 1)))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def every(session: Session, brand_id: int, wanted: Wanted) -> Iterator[Response]:
    """All answers that fit, the newest stored first, read in pages so that memory stays flat."""
    cursor: int | None = None
    while True:
        rows, cursor = after_cursor(session, brand_id, wanted, cursor=cursor, limit=1000)
        yield from rows
        if cursor is None:
            return


def response_of(session: Session, brand_id: int, response_id: int) -> Response:
    """One answer of the brand, in any revision. Raises NotFound."""
    mine = sa.select(Response).where(Response.brand_id == brand_id, Response.id == response_id)
    found: Response | None = session.scalar(_with_names(mine))
    if found is None:
        raise NotFound(_l("There is no such answer."), rule="response-unknown")
    return found


def places(session: Session, brand_id: int, dimension: Dimension) -> list[Any]:
    """The brand's business lines or locations, by name."""
    model, _ = DIMENSIONS[dimension]
    return list(session.scalars(sa.select(model).where(model.brand_id == brand_id).order_by(model.name)))


def place_by_key(session: Session, brand_id: int, dimension: Dimension, key: str | None) -> Any | None:
    """The brand's business line or location of this key, or None."""
    model, _ = DIMENSIONS[dimension]
    mine = sa.select(model).where(model.brand_id == brand_id, model.key == (key or ""))
    return session.scalar(mine) if key else None


def sources(session: Session, brand_id: int) -> list[str]:
    """Where answers of this brand came from."""
    mine = sa.select(Response.source).where(Response.brand_id == brand_id)
    return list(session.scalars(mine.distinct().order_by(Response.source)))


def surveys(session: Session, brand: Brand) -> list[tuple[Survey, int]]:
    """The brand's hosted surveys with how many answers each has."""
    counted = (
        sa.select(Survey, sa.func.count(Response.id))
        .outerjoin(Response, (Response.survey_id == Survey.id) & Response.superseded_at.is_(None))
        .where(Survey.brand_id == brand.id)
        .group_by(Survey.id)
        .order_by(Survey.name)
    )
    return [(survey, n) for survey, n in session.execute(counted)]


def runs(session: Session, brand: Brand, limit: int = 100) -> list[ImportRun]:
    """The brand's imports, the latest first."""
    mine = sa.select(ImportRun).where(ImportRun.brand_id == brand.id)
    return list(session.scalars(mine.order_by(ImportRun.id.desc()).limit(limit)))


def problems(session: Session, run: ImportRun, limit: int | None = None, offset: int = 0) -> list[ImportProblem]:
    """The rows that were not taken, in the order of the file."""
    mine = sa.select(ImportProblem).where(ImportProblem.run_id == run.id)
    in_order = mine.order_by(ImportProblem.line, ImportProblem.column)
    return list(session.scalars(in_order.limit(limit).offset(offset)))
