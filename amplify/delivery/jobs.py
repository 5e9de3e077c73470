"""What the worker does for messages: hand due ones to the job engine in batches, and send a batch."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.db import db
from amplify.core.jobs import deaths, enqueue, job
from amplify.core.tokens import uuid7
from amplify.core.web import amplify
from amplify.delivery.errors import TransientFailure
from amplify.delivery.models import WAITS, Message
from amplify.delivery.sending import send_batch

NAME = "deliver-messages"
# Messages a job: what a worker that dies leaves to others, and small enough that several share a campaign.
BATCH = 200
# After so many deaths with one batch its messages go each its own way: the one that kills is then parked alone.
DEATHS = 3


@job(NAME)
def deliver_messages(payload: dict[str, Any]) -> None:
    """Send a batch. Raises TransientFailure if any must be tried again: then settled ones are skipped."""
    if deaths() >= DEATHS and len(payload["ids"]) > 1:
        _part(db.session, payload["ids"], payload.get("release", ""))
        return
    batch = send_batch(db.sessionmaker, amplify().settings, payload["ids"], payload.get("release", ""))
    if batch.later:
        said = f"{len(batch.later)} to be tried again, e.g. {batch.later[0]}"
        raise TransientFailure(said, retry_after_seconds=batch.retry_after_seconds)


def _part(session: Session, ids: Sequence[int], release: str) -> None:
    ours = sa.select(Message.id).where(Message.id.in_(ids), Message.state == "queued", Message.release == release)
    for message_id in session.scalars(ours.order_by(Message.id).with_for_update()).all():
        hand_over(session, [message_id])
    session.commit()


def release_due(session: Session, limit: int = 1000) -> int:
    """Hand messages whose time has come to the job engine; returns how many. For the worker's rounds."""
    due = (
        sa.select(Message.id)
        .where(WAITS, Message.not_before <= clock.now())
        .order_by(Message.not_before, Message.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = session.scalars(due).all()
    hand_over(session, ids)
    return len(ids)


def hand_over(session: Session, ids: Sequence[int]) -> None:
    """Hand these to the job engine in the caller's transaction, in batches, whatever their state. A job that had one
    of them before leaves it alone now."""
    for start in range(0, len(ids), BATCH):
        batch, drawn = list(ids[start : start + BATCH]), str(uuid7())
        queued = sa.update(Message).where(Message.id.in_(batch)).values(state="queued", release=drawn)
        session.execute(queued, execution_options={"synchronize_session": "fetch"})
        enqueue(session, NAME, {"ids": batch, "release": drawn}, key=f"messages-{drawn}")
