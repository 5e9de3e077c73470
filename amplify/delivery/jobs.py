"""What the worker does for messages: hand due ones to the job engine in batches, and send a batch."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.db import db
from amplify.core.jobs import enqueue, job
from amplify.core.web import amplify
from amplify.delivery.errors import TransientFailure
from amplify.delivery.models import Message
from amplify.delivery.sending import send_batch

NAME = "deliver-messages"
BATCH = 50


@job(NAME)
def deliver_messages(payload: dict[str, Any]) -> None:
    """Send a batch. Raises TransientFailure if any must be tried again: then settled ones are skipped."""
    batch = send_batch(db.sessionmaker, amplify().settings, payload["ids"])
    if batch.later:
        raise TransientFailure(f"{len(batch.later)} to be tried again, e.g. {batch.later[0]}")


def release_due(session: Session, limit: int = 1000) -> int:
    """Hand messages whose time has come to the job engine; returns how many. For the worker's rounds."""
    due = (
        sa.select(Message)
        .where(Message.state == "waiting", Message.not_before <= clock.now())
        .order_by(Message.not_before, Message.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    messages = session.scalars(due).all()
    for start in range(0, len(messages), BATCH):
        release(session, messages[start : start + BATCH])
    return len(messages)


def release(session: Session, messages: Any) -> None:
    """Hand these waiting messages to the job engine as one batch, in the caller's transaction."""
    ids = [message.id for message in messages]
    for message in messages:
        message.state = "queued"
    session.flush()
    enqueue(session, NAME, {"ids": ids}, key=f"messages-{ids[0]}-{ids[-1]}")
