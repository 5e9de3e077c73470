"""Bounces and complaints that a mail provider's program signed: POST /in/<brand>/<key>/bounces."""

from typing import Literal

from flask import Blueprint, g, request
from pydantic import BaseModel, ConfigDict, Field

from amplify.accounts.signing import verify_signed
from amplify.brands.services import brand_by_slug
from amplify.core.boundary import parse, read_body, read_json_bytes
from amplify.core.db import db
from amplify.core.security import signed
from amplify.core.web import amplify
from amplify.delivery import bounces

blueprint = Blueprint("bounces_in", __name__, url_prefix="/in/<brand>/<key>/bounces")


class ReportIn(BaseModel):
    """One mail that came back for good, or that its reader called spam."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["bounce", "complaint"]
    message_id: str = Field(min_length=3, max_length=200)


class ReportsIn(BaseModel):
    """What the program tells us at once."""

    model_config = ConfigDict(extra="forbid")

    reports: list[ReportIn] = Field(min_length=1, max_length=1000)


@blueprint.post("")
@signed()
def take(brand: str, key: str) -> dict[str, int]:
    """Told twice, nothing changes. `unknown` are mails that this brand never sent."""
    g.brand = brand_by_slug(db.session, brand)
    body = read_body(request)
    verify_signed(db.session, g.brand, key, dict(request.headers), body, amplify().settings.secret)
    told = parse(ReportsIn, read_json_bytes(body)).reports
    known = [bounces.take(db.session, g.brand.id, bounces.Report(one.type, one.message_id)) for one in told]
    db.session.commit()
    return {"taken": sum(known), "unknown": len(known) - sum(known)}
