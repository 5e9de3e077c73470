"""Whoever ordered a message is asked again at the moment of sending whether it may still leave.

Between the two lie quiet hours, retries and pauses; consent may be withdrawn meanwhile, a campaign stopped. What only
higher floors know they say through functions that `amplify.wiring` puts here.
"""

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.delivery.models import Message, Wishes
from amplify.delivery.services import is_suppressed

# The name of the rule that forbids this message now, or None.
Objection = Callable[[Session, Message], str | None]

_objections: list[Objection] = []


def wire(objections: Sequence[Objection]) -> None:
    """Install them (once, at start; a second call replaces the first)."""
    _objections[:] = objections


def rule_against(session: Session, message: Message) -> str | None:
    """The first rule by which this message must not leave now; None if it may."""
    if message.is_marketing and is_suppressed(session, message.brand_id, message.address):
        return "suppressed"
    if message.is_marketing and message.person and _is_unwanted(session, message):
        return "unwanted"
    return next((rule for objection in _objections if (rule := objection(session, message))), None)


def _is_unwanted(session: Session, message: Message) -> bool:
    theirs = Wishes.brand_id == message.brand_id, Wishes.person == message.person
    return message.channel in (session.scalar(sa.select(Wishes.unwanted).where(*theirs)) or ())
