"""What is known about some advocates that may speak of misuse, read for all of them in a few statements."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.bulk import is_among
from amplify.delivery.disposable import is_disposable
from amplify.fraud import counting
from amplify.fraud.models import RiskDevice, RiskHour, RiskMailbox, RiskNorm
from amplify.fraud.rings import Circle, circle_of
from amplify.sharing.models import ShareLink
from amplify.tracking.models import Click, Conversion, OrderClaim


@dataclass(frozen=True)
class Order:
    """An order that was attributed to the advocate."""

    id: int
    occurred_at: datetime
    visitor: str
    buyer: str
    is_buyer_disposable: bool
    is_own_mailbox: bool
    is_own_visitor: bool
    is_claimed: bool


@dataclass
class Signals:
    """Of one advocate."""

    advocate_id: int
    hours: dict[datetime, Any] = field(default_factory=dict)  # hour -> hour, clicks, orders
    orders: list[Order] = field(default_factory=list)
    claims: int = 0  # orders of others that were told with a click of theirs
    is_mail_disposable: bool = False
    sharers: set[int] = field(default_factory=set)
    circle: Circle = field(default_factory=Circle)


def read(
    session: Session, brand: Brand, advocate_ids: Collection[int], secret: str
) -> tuple[dict[int, Signals], dict[str, RiskNorm]]:
    """The signals of these advocates and of whoever is in a circle with one of them; what is usual on their days."""
    found = {one: Signals(one) for one in advocate_ids}
    mail = counting.learn_mailboxes(session, found.keys(), secret)
    counting.learn_devices(session, found.keys())
    _read_orders(session, found)
    _read_circles(session, brand.id, found)
    _widen(session, brand.id, found, mail, secret)
    for one, sharers in counting.sharers_of(session, found.keys()).items():
        found[one].sharers = sharers
    for one, address in mail.items():
        found[one].is_mail_disposable = is_disposable(address, brand.disposable_domains)
    _read_claims(session, found)
    return found, counting.norms(session, brand.id, _read_hours(session, found))


def _widen(session: Session, brand_id: int, found: dict[int, Signals], mail: dict[int, str], secret: str) -> None:
    """Take in those who are in a circle with somebody: their risk is another now, too."""
    rings = {member for one in found.values() if one.circle.is_ring for member in one.circle.members}
    others = {member: Signals(member) for member in sorted((rings | _mutual(found)) - found.keys())}
    if others:
        mail |= counting.learn_mailboxes(session, others.keys(), secret)
        _read_orders(session, others)
        _read_circles(session, brand_id, others)
        found |= others


def _mutual(found: dict[int, Signals]) -> set[int]:
    return {other for one in found.values() for other in one.circle.mutual}


def _read_orders(session: Session, found: dict[int, Signals]) -> None:
    rows = session.execute(_orders().where(is_among(session, ShareLink.advocate_id, found.keys()))).all()
    claimed = _claimed(session, [row.id for row in rows])
    for row in rows:
        facts = row._asdict()
        facts.pop("advocate_id")
        found[row.advocate_id].orders.append(Order(**facts, is_claimed=row.id in claimed))


def _orders() -> sa.Select[Any]:
    """Attributed orders in their order, each with what ties it to its own advocate."""
    owner = sa.exists().where(
        RiskMailbox.advocate_id == ShareLink.advocate_id, RiskMailbox.mailbox == Conversion.buyer,
        Conversion.buyer != "",
    )  # fmt: skip
    device = sa.exists().where(
        RiskDevice.brand_id == ShareLink.brand_id, RiskDevice.visitor == Click.visitor,
        RiskDevice.advocate_id == ShareLink.advocate_id,
    )  # fmt: skip
    visitor = sa.func.coalesce(Click.visitor, "").label("visitor")
    columns = (ShareLink.advocate_id, Conversion.id, Conversion.occurred_at, visitor, Conversion.buyer)
    return (
        sa.select(*columns, Conversion.is_buyer_disposable)
        .add_columns(owner.label("is_own_mailbox"), device.label("is_own_visitor"))
        .join(ShareLink, ShareLink.id == Conversion.link_id)
        .outerjoin(Click, Click.id == Conversion.click_id)
        .order_by(Conversion.id)
    )


def _claimed(session: Session, ids: Sequence[int]) -> set[int]:
    found = sa.select(OrderClaim.conversion_id).where(is_among(session, OrderClaim.conversion_id, ids))
    return set(session.scalars(found)) if ids else set()


def _read_claims(session: Session, found: dict[int, Signals]) -> None:
    mine = sa.select(ShareLink.advocate_id, sa.func.count()).join(OrderClaim, OrderClaim.link_id == ShareLink.id)
    grouped = mine.where(is_among(session, ShareLink.advocate_id, found.keys())).group_by(ShareLink.advocate_id)
    for advocate_id, n in session.execute(grouped):
        found[advocate_id].claims = n


def _read_circles(session: Session, brand_id: int, found: dict[int, Signals]) -> None:
    for one in found.values():
        if any(order.buyer and not order.is_own_mailbox for order in one.orders):
            one.circle = circle_of(session, brand_id, one.advocate_id)


def _read_hours(session: Session, found: dict[int, Signals]) -> set[str]:
    """The hours of each advocate, in order; returns their days."""
    mine = sa.select(RiskHour.advocate_id, RiskHour.hour, RiskHour.clicks, RiskHour.orders)
    asked = mine.where(is_among(session, RiskHour.advocate_id, found.keys())).order_by(RiskHour.hour)
    days = set()
    for row in session.execute(asked):
        found[row.advocate_id].hours[row.hour] = row
        days.add(row.hour.date().isoformat())
    return days


def latest_hours(signals: Signals) -> list[Any]:
    """Four weeks of hours, back from the advocate's latest: an old rush is forgotten once they have gone on."""
    since = max(signals.hours, default=datetime.min.replace(tzinfo=UTC) + counting.WEEKS) - counting.WEEKS
    return [row for hour, row in signals.hours.items() if hour > since]


def clicks_by_day(signals: Signals) -> Counter[str]:
    """Human clicks of each day (UTC)."""
    counted: Counter[str] = Counter()
    for row in signals.hours.values():
        counted[row.hour.date().isoformat()] += row.clicks
    return counted
