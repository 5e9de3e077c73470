"""A process that another one started ends with it. A parent that dies by kill -9 tells nobody: its pages would answer
on, beside those of the next start and with yesterday's code."""

import os
import signal
import threading
import time

import structlog

LOOK_SECONDS = 1.0

log = structlog.get_logger(__name__)


def end_with_it() -> None:
    """From now on: once the process that started this one is gone, this one is told to stop, as by its parent."""
    threading.Thread(target=_watch, args=(os.getppid(),), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    log.warning("the process that started this one is gone", parent=parent)
    os.kill(os.getpid(), signal.SIGTERM)
