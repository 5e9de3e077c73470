"""Rewards over HTTP: a shop tells that a code was redeemed, with an API key or by a signed postback."""

from datetime import datetime

from apiflask import APIBlueprint
from flask import Blueprint, g, request
from pydantic import BaseModel, ConfigDict, Field

from amplify.accounts.services import verify_signed
from amplify.brands.services import brand_by_slug
from amplify.core.boundary import parse, read_body, read_json, takes
from amplify.core.db import db
from amplify.core.security import api, signed
from amplify.core.web import amplify
from amplify.rewards import services

blueprint = APIBlueprint("redemptions", __name__, url_prefix="/api/v1/redemptions", tag="Rewards")


postback = Blueprint("redemption_postback", __name__, url_prefix="/in/<brand>/<key>/redemptions")


class RedemptionIn(BaseModel):
    """The code as the customer gave it."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=100)


class RedemptionOut(BaseModel):
    """What the code was worth, and since when it is used. Money in minor units."""

    code: str
    state: str
    campaign_id: int
    amount_minor: int
    currency: str
    redeemed_at: datetime


@blueprint.post("")
@api("rewards:write")
@takes(RedemptionIn, example={"code": "THANKS-7K3F-Q9XA"})
@blueprint.output(RedemptionOut, status_code=201, description="Redeemed now.")
@blueprint.doc(
    summary="Redeem a code",
    description="Telling it again is 200 and changes nothing. A code nobody was given is 404; one that was taken back "
    "or has expired is 409.",
    responses={200: "It was redeemed before: nothing was changed."},
)
def redeem(body: RedemptionIn) -> tuple[dict[str, object], int]:
    """Redeem a code once."""
    return _redeem(body, g.actor)


@postback.post("")
@signed()
def take_redemption(brand: str, key: str) -> tuple[dict[str, object], int]:
    """The same, signed like an order: 201 when it is redeemed now, 200 when it was before."""
    g.brand = brand_by_slug(db.session, brand)
    verify_signed(db.session, g.brand, key, dict(request.headers), read_body(request), amplify().settings.secret)
    return _redeem(parse(RedemptionIn, read_json(request)), f"signed:{key}")


def _redeem(body: RedemptionIn, actor: str) -> tuple[dict[str, object], int]:
    push, is_new = services.redeem(db.session, g.brand.id, body.code, actor)
    db.session.commit()
    shown = RedemptionOut(
        code=push.code or "",
        state=push.state,
        campaign_id=push.campaign_id,
        amount_minor=push.amount_minor,
        currency=push.currency,
        redeemed_at=push.redeemed_at,
    )
    return shown.model_dump(mode="json"), 201 if is_new else 200
