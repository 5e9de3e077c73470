"""Conversions and refunds as a shop tells them, each once, and the rule by which a conversion belongs to a link.

Attribution needs the click's verdict. A conversion is attributed when it comes in if its click is judged already;
else it says "pending" and the tracker attributes it in the round that judges the click. Both go through `attribute`.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.errors import Conflict, Invalid, NotFound
from amplify.core.events import publish
from amplify.core.i18n import lazy_gettext as _l
from amplify.delivery.disposable import is_disposable
from amplify.sharing.models import ShareLink
from amplify.tracking.events import ConversionRefunded, Converted, OrderClaimed
from amplify.tracking.models import Click, ClickVerdict, Conversion, OrderClaim, Refund
from amplify.tracking.schemas import ConversionIn, RefundIn
from amplify.tracking.verdicts import OF_A_PERSON, VERDICTS

PENDING = "pending"
ATTRIBUTED = "attributed"
# Because of the click's verdict; see `_rule`.
REFUSED = tuple(f"click-{verdict}" for verdict in VERDICTS if verdict not in OF_A_PERSON)
# A shop's clock may be a little behind ours.
CLOCK_SLACK = timedelta(minutes=5)


def record_conversion(
    session: Session, brand_id: int, data: ConversionIn, *, window_days: int, buyer: str = ""
) -> tuple[Conversion, bool]:
    """Store an order's conversion once; returns it and whether it is new. The same order again changes nothing.

    `buyer` is buyers.key_of the buyer's address. Raises Conflict("order-changed") for the same order with another body
    (with another click, commit all the same: that is noted), Invalid("in-the-future").
    """
    _refuse_future(data.occurred_at)
    is_new = insert_ignore(session, Conversion, [_row(session, brand_id, data, window_days, buyer)]) == 1
    mine = sa.select(Conversion).where(Conversion.brand_id == brand_id, Conversion.order_id == data.order_id)
    conversion = session.scalars(mine).one()
    if is_new:
        attribute(session, conversion)
    elif conversion.body_hash != _hash(data):
        _note_claim(session, conversion, data)
        message = _l("This order was already told with another content.")
        raise Conflict(message, field="order_id", rule="order-changed")
    return conversion, is_new


def record_refund(session: Session, brand_id: int, data: RefundIn) -> tuple[Refund, bool]:
    """Store a refund once; returns it and whether it is new. Refunds of an order add up; when they reach its amount the
    conversion is refunded and its points are taken back.

    Raises NotFound("order-unknown"), Conflict("refund-changed"), Invalid("more-than-the-order") and
    Invalid("currency-of-the-order").
    """
    _refuse_future(data.occurred_at)
    conversion = _locked(session, brand_id, data.order_id)
    known = session.scalar(sa.select(Refund).where(Refund.brand_id == brand_id, Refund.refund_id == data.refund_id))
    if known is not None:
        if known.body_hash != _hash(data):
            message = _l("This refund was already told with another content.")
            raise Conflict(message, field="refund_id", rule="refund-changed")
        return known, False
    _check_refund(conversion, data)
    refund = Refund(
        brand_id=brand_id,
        refund_id=data.refund_id,
        conversion_id=conversion.id,
        amount_minor=data.amount_minor,
        body_hash=_hash(data),
        occurred_at=data.occurred_at,
    )
    session.add(refund)
    conversion.refunded_minor += data.amount_minor
    session.flush()
    if conversion.refunded_minor == conversion.amount_minor and conversion.refunded_at is None:
        conversion.refunded_at = data.occurred_at
        _tell_refund(session, conversion, refund)
    return refund, True


def attribute(session: Session, conversion: Conversion) -> None:
    """Decide once, as soon as the click's verdict is known, which link a conversion belongs to, and by which rule.

    "attributed": the click named by the shop was a person's (human, or a duplicate: a second click of somebody who
    already counted), of this brand, and at most `window_days` before the order. Otherwise the rule why not: "no-click",
    "click-unknown", "click-<verdict>", "before-click" or "outside-window".
    """
    if conversion.attribution != PENDING:
        return
    found = session.execute(
        sa.select(Click, ClickVerdict.verdict)
        .join(ClickVerdict, ClickVerdict.click_id == Click.id)
        .where(Click.id == conversion.click_id)
    ).first()
    if found is None:
        return
    click, verdict = found
    conversion.attribution = _rule(conversion, click, verdict)
    if conversion.attribution == ATTRIBUTED:
        conversion.link_id = click.link_id
        session.flush()
        publish(session, Converted(conversion=conversion, link=session.get_one(ShareLink, click.link_id)))
        _tell_refund(session, conversion, _completing_refund(session, conversion))


def attribute_pending(session: Session, limit: int) -> int:
    """Attribute the conversions whose click has been judged meanwhile. Returns how many."""
    waiting = (
        sa.select(Conversion)
        .join(ClickVerdict, ClickVerdict.click_id == Conversion.click_id)
        .where(Conversion.attribution == sa.literal_column("'pending'"))
        .order_by(Conversion.id)
        .limit(limit)
        .with_for_update(of=Conversion, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    conversions = session.scalars(waiting).all()
    for conversion in conversions:
        attribute(session, conversion)
    return len(conversions)


def reconsider(session: Session, click_ids: Sequence[int]) -> None:
    """These clicks have other verdicts now: decide again on the orders that had been refused for a machine's click.

    An order that was attributed stays so. A shop vouches for it with its signature, somebody paid, which machines do
    not, and rewards may have followed: a later verdict on the click may only ever help an order.
    """
    refused = sa.select(Conversion).where(Conversion.click_id.in_(click_ids), Conversion.attribution.in_(REFUSED))
    for conversion in session.scalars(refused.order_by(Conversion.id).with_for_update()).all():
        conversion.attribution = PENDING
        attribute(session, conversion)


def _rule(conversion: Conversion, click: Click, verdict: str) -> str:
    if verdict not in OF_A_PERSON:
        return f"click-{verdict}"
    if conversion.occurred_at < click.at - CLOCK_SLACK:
        return "before-click"
    if conversion.occurred_at > click.at + timedelta(days=conversion.window_days):
        return "outside-window"
    return ATTRIBUTED


def _note_claim(session: Session, conversion: Conversion, data: ConversionIn) -> None:
    """Remember that an order was told with a click on another link than the first time."""
    click = _click(session, conversion.brand_id, data)
    first = session.get(Click, conversion.click_id) if conversion.click_id else None
    if click is None or (first is not None and first.link_id == click.link_id):
        return
    row = {"conversion_id": conversion.id, "link_id": click.link_id, "at": clock.now()}
    if insert_ignore(session, OrderClaim, [row]):
        publish(session, OrderClaimed(conversion, session.get_one(ShareLink, click.link_id)))


def _row(session: Session, brand_id: int, data: ConversionIn, window_days: int, buyer: str) -> dict[str, Any]:
    click = _click(session, brand_id, data)
    domains = session.get_one(Brand, brand_id).disposable_domains
    return {
        **data.model_dump(exclude={"click_id", "buyer_email"}),
        "buyer": buyer,
        "is_buyer_disposable": bool(data.buyer_email) and is_disposable(data.buyer_email or "", domains),
        "brand_id": brand_id,
        "body_hash": _hash(data),
        "received_at": clock.now(),
        "click_id": click.id if click else None,
        "named_link_id": click.link_id if click else None,
        "attribution": PENDING if click else ("click-unknown" if data.click_id else "no-click"),
        "window_days": window_days,
        "refunded_minor": 0,
    }


def _locked(session: Session, brand_id: int, order_id: str) -> Conversion:
    """The conversion, held until the end: two refunds at once must not both see the old sum."""
    mine = sa.select(Conversion).where(Conversion.brand_id == brand_id, Conversion.order_id == order_id)
    found = session.scalar(mine.with_for_update().execution_options(populate_existing=True))
    if found is None:
        raise NotFound(_l("There is no such order."), field="order_id", rule="order-unknown")
    return found


def _click(session: Session, brand_id: int, data: ConversionIn) -> Click | None:
    """The click the shop names, if it is one of this brand's; it is not removed before this transaction ends."""
    if data.click_id is None:
        return None
    mine = sa.select(Click).join(ShareLink, ShareLink.id == Click.link_id)
    named = mine.where(Click.token == data.click_id, ShareLink.brand_id == brand_id)
    return session.scalar(named.with_for_update(of=Click, read=True, key_share=True))


def _check_refund(conversion: Conversion, data: RefundIn) -> None:
    if data.currency != conversion.currency:
        message = _l("A refund is in the currency of its order, %(currency)s.", currency=conversion.currency)
        raise Invalid("currency", "currency-of-the-order", message)
    if conversion.refunded_minor + data.amount_minor > conversion.amount_minor:
        message = _l("The refunds of an order cannot be more than the order.")
        raise Invalid("amount_minor", "more-than-the-order", message)


def _refuse_future(occurred_at: datetime) -> None:
    """Points decay from when they were earned: a time to come would make them grow first."""
    if occurred_at > clock.now() + CLOCK_SLACK:
        raise Invalid("occurred_at", "in-the-future", _l("This time is still to come."))


def _completing_refund(session: Session, conversion: Conversion) -> Refund | None:
    """The refund that made a conversion refunded, if one did."""
    if conversion.refunded_at is None:
        return None
    of_it = sa.select(Refund).where(Refund.conversion_id == conversion.id)
    return session.scalars(of_it.order_by(Refund.id.desc()).limit(1)).one()


def _tell_refund(session: Session, conversion: Conversion, refund: Refund | None) -> None:
    """Points are taken back if it was attributed, or if a decision gave it to the advocate of the named link."""
    link_id = conversion.link_id or conversion.named_link_id
    if refund is not None and link_id is not None:
        link = session.get_one(ShareLink, link_id)
        publish(session, ConversionRefunded(conversion=conversion, refund=refund, link=link))


def _hash(data: ConversionIn | RefundIn) -> str:
    """Of what was said, not of how it was spelt: spaces and the order of names make no other body.

    Not of the buyer: a hash without a key would let an address be guessed.
    """
    return hashlib.sha256(data.model_dump_json(exclude={"buyer_email"}).encode()).hexdigest()
