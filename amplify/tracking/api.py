"""Where a shop tells what followed: conversions and refunds, signed by the Standard Webhooks rules, stored once."""

from typing import TypeVar

from flask import Blueprint, g, request
from pydantic import BaseModel

from amplify.accounts.services import verify_signed
from amplify.brands.services import brand_by_slug
from amplify.core.boundary import parse, read_body, read_json
from amplify.core.db import db
from amplify.core.errors import Conflict
from amplify.core.security import signed
from amplify.core.web import amplify
from amplify.tracking import conversions
from amplify.tracking.buyers import key_of
from amplify.tracking.models import Conversion
from amplify.tracking.schemas import ConversionIn, ConversionOut, RefundIn, RefundOut

blueprint = Blueprint("tracking_in", __name__, url_prefix="/in/<brand>/<key>")
Told = TypeVar("Told", bound=BaseModel)


@blueprint.post("/conversions")
@signed()
def take_conversion(brand: str, key: str) -> tuple[dict[str, object], int]:
    """An order: 201 when it is new, 200 when it was told before; the answer means that it is stored."""
    data = _verified(ConversionIn, brand, key)
    settings = amplify().settings
    buyer = key_of(settings.secret, g.brand.id, data.buyer_email)
    try:
        conversion, is_new = conversions.record_conversion(
            db.session, g.brand.id, data, window_days=settings.attribution_days, buyer=buyer
        )
    except Conflict:
        db.session.commit()  # an order that is claimed twice is refused, and remembered
        raise
    db.session.commit()
    return _told(ConversionOut.model_validate(conversion, from_attributes=True), is_new)


@blueprint.post("/refunds")
@signed()
def take_refund(brand: str, key: str) -> tuple[dict[str, object], int]:
    """A refund of an order told before: 201 when it is new, 200 when it was told before."""
    data = _verified(RefundIn, brand, key)
    refund, is_new = conversions.record_refund(db.session, g.brand.id, data)
    order = db.session.get_one(Conversion, refund.conversion_id)
    db.session.commit()
    answer = RefundOut(
        refund_id=refund.refund_id,
        order_id=order.order_id,
        refunded_minor=order.refunded_minor,
        is_full=order.refunded_at is not None,
    )
    return _told(answer, is_new)


def _verified(model: type[Told], brand: str, key: str) -> Told:
    """The body as a model, once its signature is known to be right: nothing of it is looked at before."""
    g.brand = brand_by_slug(db.session, brand)
    verify_signed(db.session, g.brand, key, dict(request.headers), read_body(request), amplify().settings.secret)
    return parse(model, read_json(request))


def _told(answer: BaseModel, is_new: bool) -> tuple[dict[str, object], int]:
    return answer.model_dump(mode="json"), 201 if is_new else 200
