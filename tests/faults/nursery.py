"""Processes of the program, cheap enough to be killed a thousand times: one process imports everything once, and each
that is wanted is forked from it. What runs in it is what `amplify serve` starts: the worker, or the pages.

python -m tests.faults.nursery      a line of JSON for each child (see `Order`); answers with its process id
"""

import gc
import importlib
import json
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass

import dbos  # noqa: F401  what the worker imports when it starts

from amplify import worker
from amplify.cli.worker import command as run_worker
from amplify.core import failpoints
from amplify.core.settings import load
from amplify.leaderboards import freezing
from amplify.rewards import planning
from tests.faults import planted


@dataclass(frozen=True)
class Order:
    """A process to start. `chunk`: ranks in a transaction of planning, where few people are to make many; 0: as ever.
    `bug`: one of tests/faults/planted.py."""

    program: str  # "worker" or "serve"
    environ: Mapping[str, str]
    log: str
    bug: str = ""
    chunk: int = 0


class Forked:
    """A child of the nursery, as far as it is needed like one of subprocess.Popen.

    Held by a descriptor, not by its number: that may be somebody else's by the time it is killed.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._held: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._held = None

    def poll(self) -> int | None:
        """None while it lives. How it died is not known: the nursery has let it go."""
        if self._held is not None and select.select([self._held], [], [], 0)[0]:
            os.close(self._held)
            self._held = None
        return None if self._held is not None else 0

    def kill(self) -> None:
        self._tell(signal.SIGKILL)

    def terminate(self) -> None:
        self._tell(signal.SIGTERM)

    def _tell(self, number: signal.Signals) -> None:
        if self._held is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._held, number)

    def wait(self, timeout: float = 10.0) -> int:
        """Until it is gone. Raises TimeoutExpired."""
        if self._held is not None and not select.select([self._held], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a child of the nursery", timeout)
        return self.poll() or 0


class Nursery:
    """The process that has everything imported, seen from outside."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.faults.nursery"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)  # noqa: S603

    def start(self, order: Order) -> Forked:
        """Another child, at once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asdict(order)), file=self._process.stdin, flush=True)
        return Forked(int(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def _live(order: Order) -> None:
    """What the child does with its life."""
    os.environ.clear()
    os.environ.update(order.environ)
    output = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    importlib.reload(failpoints)  # it reads the environment; whoever has imported `reach` has this one
    random.seed()
    # On a machine that does more than this a live one may be late, and what it sends twice then is nobody's death.
    worker.DEAD_AFTER_SECONDS = 20.0
    if order.chunk:
        planning.CHUNK, planning.AT_ONCE, freezing.AT_ONCE = order.chunk, 0, 2
    if order.bug:
        planted.plant(order.bug)
    if order.program == "serve":
        planted.serve(load())
    else:
        run_worker.main(["--supervised"])


def main() -> None:
    """Fork until nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are nobody's zombies
    gc.freeze()
    for line in sys.stdin:
        order = Order(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            try:
                _live(order)
            finally:
                os._exit(1)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
