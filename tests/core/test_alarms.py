"""The clock between its rings; `tests/worker` has it ring in real processes, `faults clock` under a false time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import time_machine
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.alarms import SYNC, SYNC_SECONDS, Clock


@contextmanager
def nothing() -> Iterator[Session]:
    yield Session()


def test_a_clock_that_is_set_back_is_looked_at_at_once() -> None:
    made = Clock([], "a", nothing)
    with time_machine.travel(clock.now() + timedelta(hours=1)):
        made._scheduler.add_job(made.sync, "interval", seconds=SYNC_SECONDS, id=SYNC, next_run_time=clock.now())
        made._scheduler.start(paused=True)
        made.look_up()
        before = made._scheduler.get_job(SYNC).next_run_time
    made.look_up()
    after = made._scheduler.get_job(SYNC).next_run_time
    made._scheduler.shutdown()
    assert before - after > timedelta(minutes=59)
