"""A shop asks for a friend's reward over HTTP, with an API key or signed like an order; the answer carries the code."""

import uuid
from datetime import datetime
from functools import partial
from typing import Self

from apiflask import APIBlueprint
from flask import Blueprint, g, request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from amplify.accounts.services import verify_signed
from amplify.brands.services import brand_by_slug
from amplify.core.boundary import parse, read_body, read_json, takes
from amplify.core.db import db
from amplify.core.errors import Conflict
from amplify.core.failpoints import reach
from amplify.core.i18n import best_language
from amplify.core.security import api, signed
from amplify.core.web import amplify
from amplify.rewards.friends import asking
from amplify.rewards.friends.judging import RULES, WAITS
from amplify.rewards.giving import Unsettled
from amplify.tracking.buyers import key_of
from amplify.tracking.schemas import Id, Mailbox

blueprint = APIBlueprint("friends", __name__, url_prefix="/api/v1/friends", tag="Rewards")
postback = Blueprint("friend_postback", __name__, url_prefix="/in/<brand>/<key>/friends")

RETRY_AFTER_SECONDS = 2
TRIES = 3
Told = tuple[dict[str, object], int, dict[str, str]]


class FriendIn(BaseModel):
    """Which friend: the visit, or an order that was told with one."""

    model_config = ConfigDict(extra="forbid")

    click_id: uuid.UUID | None = Field(default=None, description="What the landing page got as amplify_click.")
    order_id: Id | None = Field(
        default=None,
        description="An order told before as a conversion: needed where friends get theirs for one.",
    )
    friend_email: Mailbox | None = Field(
        default=None,
        description="Only if you know that it is the friend's own (signed in, confirmed). Only a keyed hash of it is "
        "stored: it finds who asks twice, who is the advocate, and who has bought before. Nobody is written to.",
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.click_id is None and self.order_id is None:
            raise PydanticCustomError("missing", "Name the visit (click_id) or the order (order_id).")
        return self


class FriendOut(BaseModel):
    """What to show the friend. Money in minor units."""

    state: str = Field(description="given, or pending: ask again in a moment")
    code: str | None
    what: str = Field(description="What the friend gets, in the friend's language")
    locale: str
    amount_minor: int
    currency: str
    expires_at: datetime | None
    disclosure: str = Field(description="Show it with the offer: the advocate may get a reward, too (16 CFR 255.5)")


@blueprint.post("")
@api("rewards:write")
@takes(FriendIn, example={"click_id": "0197c2d4-5a6b-7c8d-9e0f-112233445566"})
@blueprint.output(FriendOut, status_code=201, description="Given now.")
@blueprint.doc(
    summary="Ask for a friend's reward",
    description="One for each friend: asking again is 200 with the same code. What is not given is 409 with the rule "
    "(docs/campaigns.md names them all); a visit nobody knows is 404.",
    responses={200: "It was given before.", 202: "Not decided yet: ask again after Retry-After seconds."},
)
def ask(body: FriendIn) -> Told:
    """Give a friend the reward once."""
    return _ask(body)


@postback.post("")
@signed()
def take_question(brand: str, key: str) -> Told:
    """The same, signed like an order."""
    g.brand = brand_by_slug(db.session, brand)
    verify_signed(db.session, g.brand, key, dict(request.headers), read_body(request), amplify().settings.secret)
    return _ask(parse(FriendIn, read_json(request)))


def _ask(body: FriendIn) -> Told:
    answer = _answered(asking.Question(body.click_id, body.order_id, body.friend_email))
    reach("friend-after-commit")
    if answer.push is None and answer.rule != WAITS:
        raise Conflict(RULES[answer.rule], field="click_id", rule=answer.rule)
    shown = _shown(answer).model_dump(mode="json")
    if answer.push is None:
        return shown, 202, {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return shown, 201 if answer.is_new else 200, {}


def _answered(question: asking.Question, tries: int = TRIES) -> asking.Answer:
    """Asked and committed; once more if somebody took what there was meanwhile."""
    settings = amplify().settings
    keyed = partial(key_of, settings.secret, g.brand.id)
    try:
        answer = asking.ask(db.session, g.brand, question, window_days=settings.attribution_days, key_of=keyed)
    except Unsettled:
        db.session.rollback()
        if tries > 1:
            return _answered(question, tries - 1)
        raise
    db.session.commit()
    return answer


def _shown(answer: asking.Answer) -> FriendOut:
    reward, locale = answer.reward, answer.locale
    default = best_language(g.brand.default_locale)
    return FriendOut(
        state="given" if answer.push else "pending",
        code=answer.push.code if answer.push else None,
        what=reward.name.get(locale) or reward.name.get(default, ""),
        locale=locale,
        amount_minor=reward.value_minor,
        currency=reward.currency,
        expires_at=reward.expires_at,
        disclosure=answer.campaign.text(locale, "disclosure", default),
    )
