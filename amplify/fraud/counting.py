"""Counts kept for the scores: clicks and orders by hour, what is usual at a brand, whose mailbox and device it is."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import insert_ignore, is_among, upsert
from amplify.customers.models import Customer
from amplify.fraud.models import RiskDevice, RiskHour, RiskMailbox, RiskNorm, RiskTouch
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.buyers import key_of
from amplify.tracking.models import Click, ClickCount, ClickVerdict

# What is usual: 95 of 100 busy hours (days) of a brand's advocates have at most this, in the four weeks before a day.
# Of many hours the latest are asked; fewer than SOME say nothing, and the rules' own thresholds hold.
WEEKS, USUAL, MOST_HOURS, SOME = timedelta(weeks=4), 0.95, 50_000, 40


def hour_of(at: datetime) -> datetime:
    """The hour (UTC) an instant lies in."""
    return at.replace(minute=0, second=0, microsecond=0)


def count(session: Session, touches: Sequence[Any]) -> None:
    """Add what happened to the hours it happened in."""
    clicks: Counter[tuple[int, datetime, int]] = Counter()
    orders: Counter[tuple[int, datetime, int]] = Counter()
    for touch in touches:
        key = touch.advocate_id, touch.hour, touch.brand_id
        clicks[key] += touch.clicks
        orders[key] += touch.orders
    rows = [(*key, n, orders[key]) for key, n in clicks.items()]
    add = "clicks = risk_hours.clicks + excluded.clicks, orders = risk_hours.orders + excluded.orders"
    names = ("advocate_id", "hour", "brand_id", "clicks", "orders")
    upsert(session, RiskHour, names, rows, key="advocate_id, hour", update=add)


def norms(session: Session, brand_id: int, days: Iterable[str]) -> dict[str, RiskNorm]:
    """What is usual on each of these days, measured now for a day that nobody has asked about."""
    wanted = set(days)
    mine = sa.select(RiskNorm).where(RiskNorm.brand_id == brand_id, RiskNorm.day.in_(wanted))
    known = {norm.day: norm for norm in session.scalars(mine)}
    for day in sorted(wanted - known.keys()):
        known[day] = _measure(session, brand_id, day)
        session.add(known[day])
    return known


def _measure(session: Session, brand_id: int, day: str) -> RiskNorm:
    begins = datetime.fromisoformat(day).replace(tzinfo=UTC)
    before = RiskHour.brand_id == brand_id, RiskHour.hour >= begins - WEEKS, RiskHour.hour < begins
    latest = sa.select(RiskHour.advocate_id, RiskHour.hour, RiskHour.clicks, RiskHour.orders).where(*before)
    rows = session.execute(latest.order_by(RiskHour.hour.desc(), RiskHour.advocate_id).limit(MOST_HOURS)).all()
    days: Counter[tuple[int, str]] = Counter()
    for advocate_id, hour, clicks, _orders in rows:
        days[advocate_id, hour.date().isoformat()] += clicks
    return RiskNorm(
        brand_id=brand_id,
        day=day,
        clicks_an_hour=_usual(row.clicks for row in rows),
        orders_an_hour=_usual(row.orders for row in rows),
        clicks_a_day=_usual(days.values()),
    )


def _usual(counts: Iterable[int]) -> int:
    busy = sorted(n for n in counts if n > 0)
    return busy[int(USUAL * (len(busy) - 1))] if len(busy) >= SOME else 0


def learn_mailboxes(session: Session, advocate_ids: Collection[int], secret: str) -> dict[int, str]:
    """Keep the advocates' own mailboxes as keys; returns their addresses, which are not kept."""
    found = session.execute(
        sa.select(Advocate.id, Advocate.brand_id, Customer.email)
        .join(Customer, Customer.id == Advocate.customer_id)
        .where(is_among(session, Advocate.id, advocate_ids), Customer.email.is_not(None))
    ).all()
    rows = [(advocate_id, brand_id, key_of(secret, brand_id, email)) for advocate_id, brand_id, email in found]
    names = ("advocate_id", "brand_id", "mailbox")
    upsert(session, RiskMailbox, names, rows, key="advocate_id", update="mailbox = excluded.mailbox")
    return {advocate_id: email or "" for advocate_id, _brand_id, email in found}


def learn_devices(session: Session, advocate_ids: Collection[int]) -> None:
    """Keep the visitor keys under which these advocates followed their own links; whoever shares one is touched too."""
    own = (
        sa.select(ShareLink.brand_id, Click.visitor, ShareLink.advocate_id, Click.at)
        .join(ClickVerdict, ClickVerdict.link_id == ShareLink.id)
        .join(Click, Click.id == ClickVerdict.click_id)
        .where(is_among(session, ShareLink.advocate_id, advocate_ids), ClickVerdict.verdict == "self", Click.is_own)
        # Hardly any link has such clicks: the others' are not gone through.
        .where(sa.exists().where(ClickCount.link_id == ShareLink.id, ClickCount.verdict == "self"))
    )
    seen = {(brand_id, visitor, who): at for brand_id, visitor, who, at in session.execute(own) if visitor}
    known = sa.select(RiskDevice.brand_id, RiskDevice.visitor, RiskDevice.advocate_id)
    mine = session.execute(known.where(is_among(session, RiskDevice.advocate_id, advocate_ids)))
    fresh = seen.keys() - {tuple(row) for row in mine}
    rows = [{"brand_id": brand_id, "visitor": visitor, "advocate_id": who} for brand_id, visitor, who in sorted(fresh)]
    insert_ignore(session, RiskDevice, rows)
    _touch_sharers(session, {key[1]: at for key, at in seen.items() if key in fresh}, advocate_ids)


def _touch_sharers(session: Session, visitors: dict[str, datetime], but: Collection[int]) -> None:
    sharers = sa.select(RiskDevice).where(is_among(session, RiskDevice.visitor, visitors.keys()))
    for device in session.scalars(sharers):
        if device.advocate_id not in but:
            hour = hour_of(visitors[device.visitor])
            session.add(RiskTouch(brand_id=device.brand_id, advocate_id=device.advocate_id, hour=hour))


def sharers_of(session: Session, advocate_ids: Collection[int]) -> dict[int, set[int]]:
    """Advocate -> those with whom they share the most shared of their visitor keys, themselves among them."""
    own, other = sa.orm.aliased(RiskDevice), sa.orm.aliased(RiskDevice)
    same = sa.and_(other.visitor == own.visitor, other.brand_id == own.brand_id)
    pairs = sa.select(own.advocate_id, own.visitor, other.advocate_id).join(other, same)
    by_key: dict[tuple[int, str], set[int]] = defaultdict(set)
    for advocate_id, visitor, who in session.execute(pairs.where(is_among(session, own.advocate_id, advocate_ids))):
        by_key[advocate_id, visitor].add(who)
    most: dict[int, set[int]] = {}
    for (advocate_id, _visitor), sharers in sorted(by_key.items()):
        most[advocate_id] = max(most.get(advocate_id, set()), sharers, key=len)
    return most
