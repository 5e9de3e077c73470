"""What the worker does for boards besides the rounds: a brand's standings made again from the ledger."""

from typing import Any

from sqlalchemy.orm import Session

from amplify.brands.events import ScoringChanged
from amplify.core.db import db
from amplify.core.jobs import enqueue, job
from amplify.core.tokens import uuid7
from amplify.leaderboards.services import rebuild


@job("rebuild-standings")
def rebuild_standings(payload: dict[str, Any]) -> None:
    """Fold the brand's whole ledger with the half-life it has now. Doing it twice does no harm."""
    rebuild(db.session, payload["brand_id"])
    db.session.commit()


def on_scoring_changed(session: Session, fact: ScoringChanged) -> None:
    """Half-life or weights changed: the standings follow, outside the request that changed them."""
    enqueue(session, "rebuild-standings", {"brand_id": fact.brand.id}, key=f"rebuild-{uuid7()}")
