"""Leases: one row per name says who does something alone, and until when. Whoever holds it dies, it passes on.

The check is part of the work: `take` locks the row, so what is written in the same transaction was written by the
holder, even if it was frozen meanwhile and its lease ran out.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.db import Base, Instant, Text200, is_sqlite

WORKER = "worker:"
# No lease is taken for so long. One that ends later was written before somebody set the machine's clock back.
LONGEST = timedelta(minutes=10)


class Lease(Base):
    """Who holds a name until when. `fence` grows with every change of holder: an older number comes too late."""

    __tablename__ = "leases"

    name: Mapped[Text200] = mapped_column(sa.String(200), primary_key=True)
    holder: Mapped[Text200]
    until: Mapped[Instant]
    fence: Mapped[int] = mapped_column(default=1)


def database_now(session: Session) -> datetime:
    """The database's own clock: workers on machines with different clocks agree. SQLite lives on one machine."""
    if is_sqlite(session):
        return clock.now()
    now: datetime = session.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return now


def take(session: Session, name: str, holder: str, seconds: float) -> int | None:
    """Take or keep the lease for `seconds`; its fence number, or None while somebody else holds it.

    Until the caller's commit the row is locked: nobody else can take it meanwhile. A holder with more than half of
    its time left writes nothing, so asking often is cheap.
    """
    lease = _locked(session, name)
    now = database_now(session)
    until = now + timedelta(seconds=seconds)
    if lease is None:
        if not insert_ignore(session, Lease, [{"name": name, "holder": holder, "until": until, "fence": 1}]):
            return None  # somebody was faster
        return 1
    is_over = lease.until <= now or lease.until - now > LONGEST
    if lease.holder != holder and not is_over:
        return None
    if lease.holder != holder or is_over:
        lease.fence += 1
    elif lease.until - now > timedelta(seconds=seconds / 2):
        return lease.fence
    lease.holder, lease.until = holder, until
    session.flush()
    return lease.fence


def _locked(session: Session, name: str) -> Lease | None:
    # SQLite ignores FOR UPDATE: there the transaction has the writer's lock from its beginning.
    return session.scalars(
        sa.select(Lease).where(Lease.name == name).with_for_update(),
        execution_options={"populate_existing": True},
    ).one_or_none()


def release(session: Session, holder: str, name: str | None = None) -> None:
    """Let the next one in at once, on this name or on all that the holder has. The fences keep counting."""
    past = database_now(session) - timedelta(seconds=1)
    held = sa.update(Lease).where(Lease.holder == holder, *([Lease.name == name] if name else []))
    session.execute(held.values(until=past), execution_options={"synchronize_session": False})


def workers(session: Session) -> dict[str, datetime]:
    """Executor -> until when it counts as alive, of every worker that was not yet buried."""
    rows = session.execute(sa.select(Lease.holder, Lease.until).where(Lease.name.startswith(WORKER)))
    return dict(list(rows))


def bury(session: Session, executor_id: str) -> bool:
    """Remove a worker whose time has run out; False if it is alive after all, or already buried by another."""
    lease = _locked(session, WORKER + executor_id)
    if lease is None or lease.until > database_now(session):
        return False
    session.delete(lease)
    session.flush()
    return True
