"""Rewards over HTTP: a shop tells that a code was redeemed."""

from datetime import datetime

from apiflask import APIBlueprint
from flask import g
from pydantic import BaseModel, ConfigDict, Field

from amplify.core.boundary import takes
from amplify.core.db import db
from amplify.core.security import api
from amplify.rewards import services

blueprint = APIBlueprint("redemptions", __name__, url_prefix="/api/v1/redemptions", tag="Rewards")


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
    push, is_new = services.redeem(db.session, g.brand.id, body.code, g.actor)
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
