"""Reading an append-only table in order, exactly once, by one worker at a time however many run."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.tracking.models import Cursor

# The tracker's cursor over the clicks: what lies behind it has no verdict yet.
TRACKER = "clicks"
# Held by who removes raw clicks, and by who begins to judge them again: never both at once.
REMOVAL = "removal"


def take(session: Session, name: str, *, wait: bool = False) -> Cursor | None:
    """The cursor, held until this transaction ends; None when another worker holds it and we do not `wait`.

    On SQLite the writer's lock, taken at BEGIN, already keeps everybody else out.
    """
    insert_ignore(session, Cursor, [{"name": name, "position": 0, "moved_at": clock.now()}])
    mine = sa.select(Cursor).where(Cursor.name == name).with_for_update(skip_locked=not wait)
    return session.scalar(mine.execution_options(populate_existing=True))


def place_of(session: Session, name: str) -> int:
    """How far a reader has come; 0 before it began."""
    return session.scalar(sa.select(Cursor.position).where(Cursor.name == name)) or 0
