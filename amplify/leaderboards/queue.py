"""Appeals of single visits and purchases as staff look through them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.fraud.objections import PAGE
from amplify.leaderboards.models import EntryAppeal
from amplify.sharing.models import Advocate, public_name


@dataclass(frozen=True)
class Row:
    """An appeal, and what its advocate may be called."""

    appeal: EntryAppeal
    name: str


def page(session: Session, brand_id: int, show: str, number: int) -> tuple[list[Row], int]:
    """A page of a brand's appeals with one outcome ("all": any), and how many there are."""
    where = _where(brand_id, show)
    total = session.scalar(sa.select(sa.func.count(EntryAppeal.id)).where(*where)) or 0
    return list(_rows(session, _ordered(where, show).limit(PAGE).offset((number - 1) * PAGE))), int(total)


def every(session: Session, brand_id: int, show: str) -> Iterator[Row]:
    """All of them, for a file."""
    return _rows(session, _ordered(_where(brand_id, show), show))


def waiting(session: Session, brand_id: int) -> int:
    """How many wait for an answer."""
    counted = sa.select(sa.func.count(EntryAppeal.id)).where(*_where(brand_id, "open"))
    return int(session.scalar(counted) or 0)


def _where(brand_id: int, show: str) -> list[sa.ColumnElement[bool]]:
    mine = [EntryAppeal.brand_id == brand_id]
    return mine if show == "all" else [*mine, EntryAppeal.outcome == show]


def _ordered(where: list[sa.ColumnElement[bool]], show: str) -> sa.Select[Any]:
    """Who has waited longest comes first; of what is answered, the latest."""
    columns: tuple[Any, ...] = (EntryAppeal, public_name())
    found = sa.select(*columns).join(Advocate, Advocate.id == EntryAppeal.advocate_id).where(*where)
    return found.order_by(EntryAppeal.id.asc() if show == "open" else EntryAppeal.id.desc())


def _rows(session: Session, found: sa.Select[Any]) -> Iterator[Row]:
    for appeal, name in session.execute(found):
        yield Row(appeal, name)
