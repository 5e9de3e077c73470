"""Where short codes lead, in memory and bounded, so that a click costs no look-up; and who guesses too many.

A code that changes (campaign stopped, link disabled, host taken off the allow-list) must be noticed within two seconds,
also when another process changed it: entries are believed for BELIEVED_SECONDS and then read again. Nothing has to be
told, so nothing can be missed. Look-ups go in groups: whatever is asked for while one is under way is the next one, so
that a thousand busy links cost a few statements a second. When the database is away, what was known last leads on.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

import structlog

from amplify.tracking.redirect import Target

# Two seconds are promised; half a second is left for the look-up itself.
BELIEVED_SECONDS = 1.5
# About 0.5 kB each.
MOST_LINKS = 100_000
# Look-ups under way at once, and codes in each. A code is never longer (sharing.models).
READERS = 2
MOST_AT_ONCE = 200
MOST_CHARACTERS = 16
# Unknown codes that one network may ask for at once, and per second after that. People mistype; machines enumerate.
GUESSES = 30.0
GUESSES_PER_SECOND = 1.0
MOST_NETWORKS = 10_000

Find = Callable[[Sequence[str]], Mapping[str, Target]]

log = structlog.get_logger(__name__)


class LinkCache:
    """Code -> target, the least recently used dropped first. `find` reads many codes, in a thread of `threads`."""

    def __init__(self, find: Find, threads: Executor, most: int = MOST_LINKS) -> None:
        self._find, self._threads, self._most = find, threads, most
        self._known: OrderedDict[str, tuple[float, Target]] = OrderedDict()
        self._asked: dict[str, asyncio.Future[Target | None]] = {}
        self._waiting: list[str] = []
        self._idle = READERS

    def get(self, code: str) -> Target | None:
        """What is known and still believed; None says nothing: use `ask`."""
        known = self._known.get(code)
        if known is None or known[0] < time.monotonic():
            return None
        self._known.move_to_end(code)
        return known[1]

    async def ask(self, code: str) -> Target | None:
        """Read one code, with others that are asked for meanwhile, and remember it. None: there is no such code.

        Unknown codes are not remembered: guessing must not fill the memory. Raises what `find` raises, for a code
        that was never known.
        """
        if not (code.isascii() and code.isalnum() and len(code) <= MOST_CHARACTERS):
            return None  # none of ours, and it could spoil the look-up of the others
        asked = self._asked.get(code)
        if asked is None:
            asked = self._asked[code] = asyncio.get_running_loop().create_future()
            self._waiting.append(code)
            if self._idle:
                self._idle -= 1
                asyncio.get_running_loop().call_soon(self._read)
        return await asyncio.shield(asked)  # who hangs up does so alone

    def _read(self) -> None:
        codes, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        if not codes:
            self._idle += 1
            return
        found = asyncio.get_running_loop().run_in_executor(self._threads, self._find, codes)
        found.add_done_callback(partial(self._learn, codes))

    def _learn(self, codes: Sequence[str], found: "asyncio.Future[Mapping[str, Target]]") -> None:
        error = found.exception()
        if error:
            log.warning("links were not looked up; the ways known last are used", error=type(error).__name__)
        for code in codes:
            asked = self._asked.pop(code)
            if error and code not in self._known:
                asked.set_exception(error)
            else:
                target = self._known[code][1] if error else found.result().get(code)
                self._remember(code, target)
                asked.set_result(target)
        self._read()

    def _remember(self, code: str, target: Target | None) -> None:
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
