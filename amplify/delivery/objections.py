"""Whoever ordered a message is asked again at the moment of sending whether it may still leave.

Between the two lie quiet hours, retries and pauses; consent may be withdrawn meanwhile, a campaign stopped. What only
higher floors know they say through functions that `amplify.wiring` puts here. All are asked for a group at once.
"""

from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.delivery.addresses import fingerprint
from amplify.delivery.models import Message, Suppression, Wishes

# Of these messages those that must not leave now: id -> the name of the rule that forbids it.
Objection = Callable[[Session, Sequence[Message]], Mapping[int, str]]

_objections: list[Objection] = []


def wire(objections: Sequence[Objection]) -> None:
    """Install them (once, at start; a second call replaces the first)."""
    _objections[:] = objections


def rules_against(session: Session, messages: Sequence[Message]) -> dict[int, str]:
    """Of these messages those that must not leave now, by id, with the first rule that says so."""
    found: dict[int, str] = {}
    for objection in (_suppressed, _unwanted, *_objections):
        asked = [message for message in messages if message.id not in found]
        found |= objection(session, asked) if asked else {}
    return found


def _suppressed(session: Session, messages: Sequence[Message]) -> dict[int, str]:
    prints = {m.id: fingerprint(m.brand_id, m.address) for m in messages if m.is_marketing}
    if not prints:
        return {}
    # The brand is part of what was hashed, so the hash alone says whose it is; with it the index serves.
    listed = sa.select(Suppression.address_hash).where(
        Suppression.brand_id.in_({message.brand_id for message in messages}),
        is_among(session, Suppression.address_hash, list(prints.values())),
    )
    hashes = set(session.scalars(listed))
    return {message_id: "suppressed" for message_id, hashed in prints.items() if hashed in hashes}


def _unwanted(session: Session, messages: Sequence[Message]) -> dict[int, str]:
    asked = [message for message in messages if message.is_marketing and message.person]
    if not asked:
        return {}
    theirs = sa.select(Wishes.brand_id, Wishes.person, Wishes.unwanted).where(
        Wishes.brand_id.in_({message.brand_id for message in asked}),
        is_among(session, Wishes.person, [message.person for message in asked]),
    )
    unwanted = {(brand_id, person): ways for brand_id, person, ways in session.execute(theirs)}
    return {m.id: "unwanted" for m in asked if m.channel in unwanted.get((m.brand_id, m.person), ())}
