"""Reads for staff: what was sent last and what became of it, and how many must not be written to."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.delivery.addresses import fingerprint
from amplify.delivery.models import Endpoint, Message, Suppression

STATES = ("waiting", "queued", "held", "sent", "failed", "suppressed", "cancelled")
DELIVERY_COLUMNS = ("id", "ordered", "channel", "message", "address", "state", "reason", "attempts", "sent", "receipt")
SUPPRESSION_COLUMNS = ("since", "reason", "fingerprint")


def last(session: Session, brand_id: int, state: str = "", limit: int = 50, offset: int = 0) -> Sequence[Message]:
    """The brand's messages, newest first; only those in one state."""
    found = _of(brand_id, state).order_by(Message.id.desc()).limit(limit).offset(offset)
    return session.scalars(found).all()


def count_by_state(session: Session, brand_id: int) -> Counter[str]:
    """How many messages there are in each state."""
    grouped = sa.select(Message.state, sa.func.count()).where(Message.brand_id == brand_id).group_by(Message.state)
    return _counted(session, grouped)


def rows(session: Session, brand_id: int, state: str = "") -> Iterator[tuple[Any, ...]]:
    """Every one of them, oldest first, as the cells of DELIVERY_COLUMNS."""
    found = _of(brand_id, state).order_by(Message.id).execution_options(yield_per=500)
    for one in session.scalars(found):
        sent = one.sent_at.isoformat() if one.sent_at else None
        outcome = one.state, one.shown_reason, one.attempts, sent, one.receipt
        yield one.id, one.created_at.isoformat(), one.channel, one.template, one.shown_to, *outcome


def open_endpoints(session: Session, brand_id: int) -> Counter[str]:
    """Channel -> how many endpoints may be used."""
    ours = Endpoint.brand_id == brand_id, Endpoint.ended_at.is_(None), Endpoint.sealed != ""
    grouped = sa.select(Endpoint.channel, sa.func.count()).where(*ours).group_by(Endpoint.channel)
    return _counted(session, grouped)


def suppressed_by_reason(session: Session, brand_id: int) -> Counter[str]:
    """Reason -> how many mailboxes must not be written to."""
    mine = Suppression.brand_id == brand_id
    grouped = sa.select(Suppression.reason, sa.func.count()).where(mine).group_by(Suppression.reason)
    return _counted(session, grouped)


def suppression_of(session: Session, brand_id: int, address: str) -> Suppression | None:
    """Why, and since when, this mailbox must not be written to."""
    same = Suppression.brand_id == brand_id, Suppression.address_hash == fingerprint(brand_id, address)
    return session.scalar(sa.select(Suppression).where(*same))


def suppression_rows(session: Session, brand_id: int) -> Iterator[tuple[Any, ...]]:
    """The whole list, oldest first, as the cells of SUPPRESSION_COLUMNS: addresses are not kept in it."""
    mine = sa.select(Suppression).where(Suppression.brand_id == brand_id).order_by(Suppression.id)
    for one in session.scalars(mine.execution_options(yield_per=500)):
        yield one.at.isoformat(), one.reason, one.address_hash


def _counted(session: Session, grouped: sa.Select[str, int]) -> Counter[str]:
    return Counter({row[0]: row[1] for row in session.execute(grouped)})


def _of(brand_id: int, state: str) -> sa.Select[Message]:
    mine = sa.select(Message).where(Message.brand_id == brand_id)
    return mine.where(Message.state == state) if state in STATES else mine
