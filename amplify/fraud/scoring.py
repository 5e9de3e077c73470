"""The scores: who was touched is counted, read and weighed anew by the worker, and what follows is written down."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.bulk import is_among
from amplify.core.events import publish
from amplify.core.web import amplify
from amplify.fraud import counting, rushes, signals
from amplify.fraud.counting import hour_of
from amplify.fraud.events import HoldsChanged
from amplify.fraud.models import IN_FORCE, RiskCase, RiskHour, RiskNorm, RiskTouch
from amplify.fraud.rules import ONE_VISITOR_ORDERS, RULES_VERSION, Reason, score_of, weigh
from amplify.fraud.signals import Order, Signals
from amplify.fraud.states import follow_thresholds

# (kind, conversion id or None, day) -> why.
Judged = dict[tuple[str, int | None, str], list[Reason]]
Norms = Mapping[str, RiskNorm]


def assess(session: Session, limit: int) -> int:
    """Worker round: score up to `limit` touched advocates' hours. Returns how many; scores, holds and the end of the
    touches are one transaction."""
    touches = session.execute(sa.select(*RiskTouch.__table__.c).order_by(RiskTouch.id).limit(limit)).all()
    if not touches:
        return 0
    counting.count(session, touches)
    done = sa.delete(RiskTouch).where(is_among(session, RiskTouch.id, [touch.id for touch in touches]))
    session.execute(done, execution_options={"synchronize_session": False})
    touched: dict[int, set[int]] = defaultdict(set)
    for touch in touches:
        touched[touch.brand_id].add(touch.advocate_id)
    for brand_id, advocates in sorted(touched.items()):
        _assess(session, session.get_one(Brand, brand_id), sorted(advocates))
    return len(touches)


def touch_all(session: Session, brand_id: int) -> int:
    """Have the worker score every advocate of a brand again who ever was touched: the rules changed."""
    zero = sa.literal(0)
    hours = sa.select(RiskHour.brand_id, RiskHour.advocate_id, sa.func.max(RiskHour.hour), zero, zero)
    mine = hours.where(RiskHour.brand_id == brand_id).group_by(RiskHour.brand_id, RiskHour.advocate_id)
    names = ["brand_id", "advocate_id", "hour", "clicks", "orders"]
    touched = sa.insert(RiskTouch).from_select(names, mine).returning(RiskTouch.id)
    return len(session.scalars(touched).all())


def _assess(session: Session, brand: Brand, advocate_ids: Sequence[int]) -> None:
    found, norms = signals.read(session, brand, advocate_ids, amplify().settings.secret)
    stored: dict[int, dict[str, RiskCase]] = defaultdict(dict)
    for case in session.scalars(sa.select(RiskCase).where(is_among(session, RiskCase.advocate_id, found.keys()))):
        stored[case.advocate_id][case.subject] = case
    changed = {one.advocate_id for one in found.values() if _store(session, brand, one, norms, stored[one.advocate_id])}
    session.flush()
    if changed:
        publish(session, HoldsChanged(changed))


def _store(session: Session, brand: Brand, one: Signals, norms: Norms, stored: dict[str, RiskCase]) -> bool:
    """Write an advocate's cases; whether what is held of them is another now."""
    is_changed = False
    judged = judge(one, norms)
    waiting = _rushes(
        session, one.advocate_id, {day: said[0] for (_kind, _id, day), said in judged.items() if day and said}
    )
    for key, reasons in judged.items():
        subject = _subject(one.advocate_id, *key)
        case = stored.get(subject)
        if case is None:
            if not reasons:
                continue
            kind, conversion_id, day = key
            case = RiskCase(brand_id=brand.id, subject=subject, kind=kind, advocate_id=one.advocate_id, state="clear")
            case.conversion_id, case.day = conversion_id, day
            session.add(case)
        is_changed |= _write(case, reasons, waiting.get(case.day, case.rushes or []))
        is_changed |= follow_thresholds(session, case, brand)
    return is_changed


def _rushes(session: Session, advocate_id: int, busy: Mapping[str, Reason]) -> dict[str, list[Any]]:
    """Which clicks wait on each day with a rush."""
    if not busy:
        return {}
    hourly = rushes.read(session, advocate_id, busy)
    found = {day: rushes.rushes_of(hourly, day, busy, reason.threshold) for day, reason in busy.items()}
    return {day: rushes.as_json(rush) for day, rush in found.items()}


def _write(case: RiskCase, reasons: Sequence[Reason], waiting: list[Any]) -> bool:
    """Whether other clicks of a held day count now."""
    said = [reason.as_json() for reason in reasons]
    if said != case.reasons or case.rules_version != RULES_VERSION:
        case.score, case.reasons, case.rules_version = score_of(reasons), said, RULES_VERSION
        case.scored_at = clock.now()
    is_other = case.rushes != waiting and case.state in IN_FORCE
    case.rushes = waiting
    return is_other


def _subject(advocate_id: int, kind: str, conversion_id: int | None, day: str) -> str:
    if kind == "order":
        return f"order:{conversion_id}"
    return f"day:{advocate_id}:{day}" if kind == "day" else f"advocate:{advocate_id}"


def judge(one: Signals, norms: Norms) -> Judged:
    """Why an advocate, each of their orders and each of their days has the risk it has: pure, and the same for ever."""
    judged: Judged = {("advocate", None, ""): _advocate(one, norms)}
    for order in one.orders:
        judged["order", order.id, ""] = _order(one, order, norms)
    for day, clicks in sorted(signals.clicks_by_day(one).items()):
        judged["day", None, day] = _said(weigh("day-rush", clicks, norm=norms[day].clicks_a_day))
    return judged


def _advocate(one: Signals, norms: Norms) -> list[Reason]:
    hours = signals.latest_hours(one)
    own = sum(order.is_own_mailbox or order.is_own_visitor for order in one.orders)
    circle, others = one.circle, one.circle.members - {one.advocate_id}
    return _said(
        weigh("own-orders", own),
        weigh("ring", len(circle.members), others=others) if circle.is_ring else None,
        weigh("mutual", len(circle.mutual), others=circle.mutual),
        weigh("many-accounts", len(one.sharers), others=one.sharers - {one.advocate_id}),
        weigh("claimed-orders", one.claims + sum(order.is_claimed for order in one.orders)),
        weigh("one-visitor", _most_from_one(one.orders)),
        _worst(weigh("order-rush", row.orders, norm=norms[_day(row)].orders_an_hour) for row in hours),
        _worst(weigh("click-rush", row.clicks, norm=norms[_day(row)].clicks_an_hour) for row in hours),
        weigh("disposable-mail", int(one.is_mail_disposable)),
    )


def _order(one: Signals, order: Order, norms: Norms) -> list[Reason]:
    circle, row = one.circle, one.hours.get(hour_of(order.occurred_at))
    return _said(
        weigh("own-mailbox", int(order.is_own_mailbox)),
        weigh("own-visitor", int(order.is_own_visitor)),
        weigh("claimed", int(order.is_claimed)),
        weigh("in-ring", len(circle.members)) if circle.is_ring and order.buyer else None,
        weigh("rush", row.orders, norm=norms[_day(row)].orders_an_hour) if row else None,
        weigh("disposable-buyer", int(order.is_buyer_disposable)),
    )


def _day(row: Any) -> str:
    return str(row.hour.date())


def _most_from_one(orders: Sequence[Order]) -> int:
    """Per cent of the orders that one visitor or one buyer made."""
    if len(orders) < ONE_VISITOR_ORDERS:
        return 0
    visitors = Counter(order.visitor for order in orders if order.visitor)
    buyers = Counter(order.buyer for order in orders if order.buyer)
    return 100 * max((*visitors.values(), *buyers.values()), default=0) // len(orders)


def _said(*reasons: Reason | None) -> list[Reason]:
    return [reason for reason in reasons if reason is not None]


def _worst(reasons: Iterable[Reason | None]) -> Reason | None:
    """The reason with the most points; of equal ones the first."""
    return max(_said(*reasons), key=lambda reason: reason.points, default=None)
