"""Where short codes lead, in memory and bounded, so that a click costs no look-up; and who guesses too many.

A code that changes (campaign stopped, link disabled, host taken off the allow-list) must be noticed within two seconds,
also when another process changed it: entries are believed for BELIEVED_SECONDS and then read again, once for all who
wait. That costs a busy link one look-up in some ten thousand clicks; nothing has to be told, so nothing can be missed.
When the database is away, what was known last goes on leading people.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor

import structlog

from amplify.tracking.redirect import Target

# Two seconds are promised; half a second is left for the look-up itself.
BELIEVED_SECONDS = 1.5
# About 0.5 kB each.
MOST_LINKS = 100_000
# Unknown codes that one network may ask for at once, and per second after that. People mistype; machines enumerate.
GUESSES = 30.0
GUESSES_PER_SECOND = 1.0
MOST_NETWORKS = 10_000

log = structlog.get_logger(__name__)


class LinkCache:
    """Code -> target, the least recently used dropped first. `find` reads one code, in a thread of `threads`."""

    def __init__(self, find: Callable[[str], Target | None], threads: Executor, most: int = MOST_LINKS) -> None:
        self._find, self._threads, self._most = find, threads, most
        self._known: OrderedDict[str, tuple[float, Target]] = OrderedDict()
        self._asked: dict[str, asyncio.Future[Target | None]] = {}

    def get(self, code: str) -> Target | None:
        """What is known and still believed; None says nothing: use `ask`."""
        known = self._known.get(code)
        if known is None or known[0] < time.monotonic():
            return None
        self._known.move_to_end(code)
        return known[1]

    def ask(self, code: str) -> "asyncio.Future[Target | None]":
        """Read one code and remember it; all who ask meanwhile wait for the same answer. None: there is no such code.

        Unknown codes are not remembered: guessing must not fill the memory. Raises what `find` raises, for a code
        that was never known.
        """
        asked = self._asked.get(code)
        if asked is None:
            asked = self._asked[code] = asyncio.get_running_loop().run_in_executor(self._threads, self._read, code)
            asked.add_done_callback(lambda done: self._learn(code, done))
        return asked

    def _read(self, code: str) -> Target | None:
        try:
            return self._find(code)
        except Exception as error:
            known = self._known.get(code)
            if known is None:
                raise
            log.warning("a link was not looked up; the way known last is used", error=type(error).__name__)
            return known[1]

    def _learn(self, code: str, done: "asyncio.Future[Target | None]") -> None:
        del self._asked[code]
        target = None if done.cancelled() or done.exception() else done.result()
        if target is None:
            self._known.pop(code, None)
            return
        self._known[code] = (time.monotonic() + BELIEVED_SECONDS, target)
        self._known.move_to_end(code)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def __len__(self) -> int:
        return len(self._known)


class Guesses:
    """Counts the unknown codes each network asks for. A code that leads somewhere is never counted nor refused."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, network: str) -> float:
        """Count one more; 0 if it may be answered, else how long until the next one may."""
        now = self._clock()
        left, at = self._left.pop(network, (GUESSES, now))
        left = min(GUESSES, left + (now - at) * GUESSES_PER_SECOND)
        wait = 0.0 if left >= 1 else (1 - left) / GUESSES_PER_SECOND
        self._left[network] = (left - 1 if left >= 1 else left, now)
        while len(self._left) > MOST_NETWORKS:
            self._left.popitem(last=False)
        return wait
