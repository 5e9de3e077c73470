"""What staff and advocates see of links and clicks: raw and human counts side by side, and the reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.sharing.models import Advocate, ShareLink
from amplify.sharing.outcomes import Figure
from amplify.tracking import counting, cursors
from amplify.tracking.models import Click, ClickCount, ClickVerdict, Conversion

PAGE = 50
SORTS = ("created", "raw", "human", "orders")


@dataclass(frozen=True)
class LinkRow:
    """One link and what came of it."""

    id: int
    code: str
    channel: str
    advocate: str
    campaign: str
    created_at: datetime
    raw: int
    human: int
    orders: int


@dataclass(frozen=True)
class Reason:
    """So many clicks got this verdict by this rule; verdict None: not judged yet."""

    verdict: str | None
    rule: str
    n: int


def board_name(pseudonym: str, shown_name: str | None, erased_at: datetime | None) -> str:
    """How an advocate on a board may be called: the name they agreed to until they are erased, else the pseudonym."""
    return pseudonym if erased_at is not None or not shown_name else shown_name


def links(
    session: Session, brand_id: int, *, page: int = 1, sort: str = "-created", campaign_id: int | None = None
) -> tuple[list[LinkRow], int]:
    """A page of the brand's links and how many there are. `sort` is one of SORTS, with "-" for largest first."""
    mine = [ShareLink.brand_id == brand_id, *([ShareLink.campaign_id == campaign_id] if campaign_id else [])]
    total = session.scalar(sa.select(sa.func.count()).select_from(ShareLink).where(*mine)) or 0
    ordered = _in_order(session, brand_id, sort).where(*mine).limit(PAGE).offset((page - 1) * PAGE)
    ids: Sequence[int] = session.scalars(ordered).all()
    found = {row.id: row for row in map(_link_row, session.execute(_with_counts(session, ShareLink.id.in_(ids))))}
    return [found[link_id] for link_id in ids], int(total)


def link_of(session: Session, brand_id: int, link_id: int) -> LinkRow:
    """One link of the brand. Raises NotFound, also for another brand's."""
    found = session.execute(_with_counts(session, ShareLink.brand_id == brand_id, ShareLink.id == link_id)).first()
    if found is None:
        raise NotFound(_l("There is no such link."))
    return _link_row(found)


def reasons(session: Session, brand_id: int, *, link_id: int | None = None) -> list[Reason]:
    """How the clicks of one link (of all the brand's links) were judged, most frequent first."""
    mine = [ClickCount.brand_id == brand_id, *([ClickCount.link_id == link_id] if link_id else [])]
    counted = sa.select(ClickCount.verdict, ClickCount.rule, sa.func.sum(ClickCount.n)).where(*mine)
    found = session.execute(counted.group_by(ClickCount.verdict, ClickCount.rule))
    judged = [Reason(verdict, rule, int(n)) for verdict, rule, n in found]
    which = [ShareLink.brand_id == brand_id, *([ShareLink.id == link_id] if link_id else [])]
    waiting = session.scalar(sa.select(sa.func.sum(counting.waiting(session, *which).c.n))) or 0
    return sorted([*judged, *([Reason(None, "", int(waiting))] if waiting else [])], key=lambda one: (-one.n, one.rule))


def hours(session: Session, link_id: int, since: int) -> Sequence[tuple[int, int, int]]:
    """A link's hours from `since` (counted from the epoch) in which somebody came: hour, judged clicks, human ones."""
    columns = sa.select(ClickCount.hour, _sum(), _sum(human=True))
    mine = ClickCount.link_id == link_id, ClickCount.hour >= since
    query = columns.where(*mine).group_by(ClickCount.hour).order_by(ClickCount.hour)
    return [(hour, int(raw), int(human)) for hour, raw, human in session.execute(query)]


def clicks(session: Session, link_id: int, limit: int = 100) -> Sequence[Any]:
    """The latest clicks of a link: at, user_agent, referrer_host, language, ..., each with its verdict and rule, if it
    is judged already."""
    columns: tuple[Any, ...] = (Click.at, Click.method, Click.user_agent, Click.referrer_host, Click.language)
    said: tuple[Any, ...] = (ClickVerdict.verdict, ClickVerdict.rule, ClickVerdict.rules_version)
    place = cursors.place_of(session, cursors.TRACKER)
    unsaid = (sa.null().label(column.key) for column in said)
    behind = sa.select(*columns, *unsaid).where(Click.id > place, Click.link_id == link_id)
    waiting = session.execute(behind.order_by(Click.id.desc()).limit(limit)).all()
    judged = sa.select(*columns, *said).join_from(ClickVerdict, Click, Click.id == ClickVerdict.click_id)
    mine = judged.where(ClickVerdict.link_id == link_id, ClickVerdict.click_id <= place)
    latest = mine.order_by(ClickVerdict.click_id.desc()).limit(limit - len(waiting))
    return [*waiting, *session.execute(latest).all()]


def recent(session: Session, brand_id: int, days: int = 30) -> tuple[int, int, int]:
    """Raw clicks, human clicks and attributed orders of the last days."""
    since = clock.now() - timedelta(days=days)
    counted = ClickCount.brand_id == brand_id, ClickCount.hour >= counting.hour_of(since)
    judged, human = session.execute(sa.select(_sum(), _sum(human=True)).where(*counted)).one()
    waiting = sa.select(sa.func.sum(counting.waiting(session, ShareLink.brand_id == brand_id).c.n))
    raw = int(judged) + int(session.scalar(waiting) or 0)
    mine = Conversion.brand_id == brand_id, Conversion.link_id.is_not(None), Conversion.occurred_at >= since
    return raw, int(human), session.scalar(sa.select(sa.func.count()).select_from(Conversion).where(*mine)) or 0


def outcomes(session: Session, advocate: Advocate) -> list[Figure]:
    """What the advocate sees on their share page of what followed."""
    counts = _with_counts(session, ShareLink.advocate_id == advocate.id).subquery()
    raw, human, orders = session.execute(
        sa.select(*(sa.func.coalesce(sa.func.sum(counts.c[name]), 0) for name in ("raw", "human", "orders")))
    ).one()
    if not raw:
        return []
    note = _l("of %(raw)s requests, machines and repeats among them", raw=int(raw))
    return [Figure(_l("People who followed it"), int(human), note), Figure(_l("Purchases that followed"), int(orders))]


def _with_counts(session: Session, *which: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    """These links with their counts: for a page of them, or fewer."""
    judged = _judged(ClickCount.link_id.in_(sa.select(ShareLink.id).where(*which)))
    waiting = counting.waiting(session)
    orders = _orders(Conversion.link_id == ShareLink.id).correlate(ShareLink).scalar_subquery()
    return (
        sa.select(
            ShareLink,
            Advocate,
            Customer.erased_at,
            Campaign.name.label("campaign"),
            (_of(judged.c.raw) + _of(waiting.c.n)).label("raw"),
            _of(judged.c.human).label("human"),
            orders.label("orders"),
        )
        .join(Advocate, Advocate.id == ShareLink.advocate_id)
        .join(Campaign, Campaign.id == ShareLink.campaign_id)
        .outerjoin(Customer, Customer.id == Advocate.customer_id)
        .outerjoin(judged, judged.c.link_id == ShareLink.id)
        .outerjoin(waiting, waiting.c.link_id == ShareLink.id)
        .where(*which)
    )


def _in_order(session: Session, brand_id: int, sort: str) -> Any:
    """The ids of the brand's links in this order. What they are sorted by is summed once for all, and nothing else."""
    name = sort.removeprefix("-")
    if name not in SORTS:
        sort, name = "-created", "created"
    ids: Any = sa.select(ShareLink.id)
    key: Any = ShareLink.created_at
    if name in ("raw", "human"):
        judged = _judged(ClickCount.brand_id == brand_id)
        ids, key = ids.outerjoin(judged, judged.c.link_id == ShareLink.id), _of(judged.c[name])
    if name == "raw":
        waiting = counting.waiting(session)
        ids, key = ids.outerjoin(waiting, waiting.c.link_id == ShareLink.id), key + _of(waiting.c.n)
    if name == "orders":
        links = Conversion.link_id.label("link_id")
        counted = _orders(Conversion.brand_id == brand_id).add_columns(links).group_by(links).subquery()
        ids, key = ids.outerjoin(counted, counted.c.link_id == ShareLink.id), _of(counted.c.n)
    return ids.order_by(key.desc() if sort.startswith("-") else key.asc(), ShareLink.id.desc())


def _judged(*which: sa.ColumnElement[bool]) -> sa.Subquery:
    """All and human clicks of each link, from the roll-ups."""
    columns = sa.select(ClickCount.link_id, _sum().label("raw"), _sum(human=True).label("human"))
    return columns.where(*which).group_by(ClickCount.link_id).subquery()


def _orders(which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(sa.func.count(Conversion.id).label("n")).where(which, Conversion.refunded_at.is_(None))


def _of(counted: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Of a link that nobody came to: none."""
    return sa.func.coalesce(counted, 0)


def _sum(*, human: bool = False) -> sa.ColumnElement[int]:
    n = sa.case((ClickCount.verdict == "human", ClickCount.n), else_=0) if human else ClickCount.n
    return sa.cast(sa.func.coalesce(sa.func.sum(n), 0), sa.BigInteger)


def _link_row(row: Any) -> LinkRow:
    link, advocate, erased_at, campaign, raw, human, orders = row
    return LinkRow(
        id=link.id,
        code=link.code,
        channel=link.channel,
        advocate=advocate.pseudonym if erased_at else advocate.public_name,
        campaign=campaign,
        created_at=link.created_at,
        raw=raw,
        human=human,
        orders=orders,
    )
