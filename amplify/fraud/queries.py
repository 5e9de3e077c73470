"""What the console and the person concerned see of cases, decisions and appeals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.fraud.models import IN_FORCE, RiskAppeal, RiskCase, RiskDecision, RiskHour
from amplify.fraud.objections import PAGE
from amplify.fraud.states import last_decision
from amplify.sharing.models import Advocate, public_name
from amplify.tracking.models import Conversion

SHOWN = ("open", "appealed", "accepted", "refused", "all")


@dataclass(frozen=True)
class Row:
    """A case with what its advocate may be called, its order's number and an appeal that waits."""

    case: RiskCase
    name: str
    order: str | None
    appeal: RiskAppeal | None


@dataclass(frozen=True)
class Check:
    """A hold or refusal as its advocate sees it, with what they said against it, if they did."""

    case: RiskCase
    decision: RiskDecision
    appeal: RiskAppeal | None


def queue(session: Session, brand_id: int, *, show: str, page: int) -> tuple[list[Row], int]:
    """A page of cases, the highest score first, and how many there are. `show` is one of SHOWN."""
    where = _where(brand_id, show)
    total = session.scalar(sa.select(sa.func.count(RiskCase.id)).where(*where)) or 0
    return list(_rows(session, where, limit=PAGE, offset=(page - 1) * PAGE)), int(total)


def every_row(session: Session, brand_id: int, *, show: str) -> Iterator[Row]:
    """All of them, for a file."""
    return _rows(session, _where(brand_id, show))


def row_of(session: Session, case: RiskCase) -> Row:
    """One case as the queue shows it."""
    return next(_rows(session, [RiskCase.id == case.id]))


def open_count(session: Session, brand_id: int) -> int:
    """How many cases and appeals wait for somebody."""
    cases = sa.select(sa.func.count(RiskCase.id)).where(*_where(brand_id, "open"))
    appeals = sa.select(sa.func.count(RiskAppeal.id)).where(
        RiskAppeal.brand_id == brand_id, RiskAppeal.outcome == "open"
    )
    return int(session.scalar(cases) or 0) + int(session.scalar(appeals) or 0)


def decisions(session: Session, case: RiskCase) -> Sequence[RiskDecision]:
    """All decisions about a case, the latest first."""
    mine = sa.select(RiskDecision).where(RiskDecision.case_id == case.id)
    return session.scalars(mine.order_by(RiskDecision.id.desc())).all()


def appeals(session: Session, case: RiskCase) -> Sequence[RiskAppeal]:
    """All appeals in a case, the latest first."""
    mine = sa.select(RiskAppeal).where(RiskAppeal.case_id == case.id)
    return session.scalars(mine.order_by(RiskAppeal.id.desc())).all()


def hours(session: Session, case: RiskCase) -> list[Any]:
    """Hour, clicks and orders of the case's advocate: of its day, else of the latest 48 hours with any."""
    mine = sa.select(RiskHour.hour, RiskHour.clicks, RiskHour.orders).where(RiskHour.advocate_id == case.advocate_id)
    found = session.execute(mine.order_by(RiskHour.hour.desc()).limit(24 * 366)).all()
    of_day = [row for row in found if row.hour.date().isoformat() == case.day] if case.day else list(found[:48])
    return of_day[::-1]


def names(session: Session, brand_id: int, advocate_ids: set[int]) -> dict[int, str]:
    """What these advocates may be called."""
    mine = Advocate.brand_id == brand_id, Advocate.id.in_(advocate_ids)
    found = session.execute(sa.select(Advocate.id, public_name()).where(*mine))
    return {row.id: row.name for row in found}


def checks_of(session: Session, advocate_id: int) -> list[Check]:
    """What is held or refused of an advocate now, the latest first, for them to read."""
    mine = RiskCase.advocate_id == advocate_id, RiskCase.state.in_(IN_FORCE)
    found = []
    for case in session.scalars(sa.select(RiskCase).where(*mine).order_by(RiskCase.id.desc())):
        decision = last_decision(session, case)
        if decision is not None:
            about = sa.or_(RiskAppeal.decision_id == decision.id, RiskAppeal.outcome == "open")
            latest = sa.select(RiskAppeal).where(RiskAppeal.case_id == case.id, about).order_by(RiskAppeal.id.desc())
            said = session.scalars(latest.limit(1)).first()
            found.append(Check(case, decision, said))
    return found


def _where(brand_id: int, show: str) -> list[sa.ColumnElement[bool]]:
    waiting = RiskCase.id.in_(sa.select(RiskAppeal.case_id).where(RiskAppeal.outcome == "open"))
    more: dict[str, list[sa.ColumnElement[bool]]] = {
        "open": [RiskCase.state.in_(IN_FORCE), RiskCase.decided_score.is_(None)],
        "appealed": [waiting],
        "accepted": [RiskCase.state == "accepted"],
        "refused": [RiskCase.state == "refused"],
        "all": [RiskCase.score > 0],
    }
    return [RiskCase.brand_id == brand_id, *more[show]]


def _rows(
    session: Session, where: list[sa.ColumnElement[bool]], *, limit: int | None = None, offset: int = 0
) -> Iterator[Row]:
    waiting = sa.and_(RiskAppeal.case_id == RiskCase.id, RiskAppeal.outcome == "open")
    columns = (RiskCase, public_name(), Conversion.order_id, RiskAppeal)
    query = (
        sa.select(*columns)
        .join(Advocate, Advocate.id == RiskCase.advocate_id)
        .outerjoin(Conversion, Conversion.id == RiskCase.conversion_id)
        .outerjoin(RiskAppeal, waiting)
        .where(*where)
        .order_by(RiskCase.score.desc(), RiskCase.id)
    )
    for case, name, order, appeal in session.execute(query.limit(limit).offset(offset)):
        yield Row(case, name, order, appeal)
