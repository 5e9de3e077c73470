"""The clock: rings alarms at their instants. The rows that know the instants are the memory; this only keeps time.

APScheduler's own job stores cannot be shared between processes, so its store is in memory and is filled again and
again from the rows, and a lease sees to it that one worker's clock rings.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.orm import Session

from amplify.core import clock, leases
from amplify.core.failpoints import reach

LEASE = "clock"
LEASE_SECONDS = 7.0
# Another worker's clock rings at the latest LEASE_SECONDS + SYNC_SECONDS after the death of the one that did.
SYNC_SECONDS = 2.0
SYNC = "sync"

log = structlog.get_logger(__name__)


class Alarm(NamedTuple):
    """`upcoming(session)` gives the next instants (past ones too, if not rung yet); `ring(session, now)` does all
    that is due at `now`, in one transaction, and may be rung again without harm."""

    name: str
    upcoming: Callable[[Session], Iterable[datetime]]
    ring: Callable[[Session, datetime], object]


class Clock:
    """One worker's clock. `transaction` gives a session that commits when its block ends well."""

    def __init__(
        self, alarms: Sequence[Alarm], holder: str, transaction: Callable[[], AbstractContextManager[Session]]
    ) -> None:
        self._alarms = alarms
        self._holder = holder
        self._transaction = transaction
        self._scheduler = BackgroundScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1})

    def start(self) -> None:
        """Begin to keep time, in a thread."""
        self._scheduler.add_job(
            self.sync, "interval", seconds=SYNC_SECONDS, next_run_time=clock.now(), misfire_grace_time=None, id=SYNC
        )
        self._scheduler.start()

    def look_up(self) -> None:
        """For a thread that counts seconds itself, now and then: the machine's clock may have been set back, and the
        scheduler would wait until it shows the same time again."""
        job = self._scheduler.get_job(SYNC)
        if job is not None and job.next_run_time - clock.now() > timedelta(seconds=2 * SYNC_SECONDS):
            log.warning("the machine's clock was set back", to=str(clock.now()))
            job.modify(next_run_time=clock.now())

    def stop(self) -> None:
        """Wait for what rings just now, then let another worker's clock take over at once."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
        try:
            with self._transaction() as session:
                leases.release(session, self._holder, LEASE)
        except Exception as error:
            log.warning("clock not handed over", error=type(error).__name__)

    def sync(self) -> None:
        """Ring what is late, and set the alarms that come next; does nothing while another worker's clock rings."""
        for alarm in self._alarms:
            try:
                if not self._sync(alarm):
                    return
            except Exception as error:
                log.error("alarm failed", alarm=alarm.name, error=type(error).__name__, exc_info=error)

    def _sync(self, alarm: Alarm) -> bool:
        with self._transaction() as session:
            if leases.take(session, LEASE, self._holder, LEASE_SECONDS) is None:
                return False
            instants = sorted(alarm.upcoming(session))
        now = clock.now()
        if any(instant <= now for instant in instants):
            self.ring(alarm)
        for instant in [later for later in instants if later > now][:100]:
            self._set(alarm, instant)
        return True

    def _set(self, alarm: Alarm, instant: datetime) -> None:
        self._scheduler.add_job(
            self.ring,
            "date",
            run_date=instant,
            args=[alarm],
            id=f"{alarm.name}@{instant.isoformat()}",
            replace_existing=True,
            misfire_grace_time=None,
        )

    def ring(self, alarm: Alarm) -> Any:
        """Ring now, if the clock is still ours. What cannot be done now is late at the next sync and rung then."""
        try:
            with self._transaction() as session:
                if leases.take(session, LEASE, self._holder, LEASE_SECONDS) is not None:
                    alarm.ring(session, clock.now())
                    reach("ring-before-commit")
            reach("ring-after-commit")
        except Exception as error:
            log.error("alarm failed", alarm=alarm.name, error=type(error).__name__, exc_info=error)
