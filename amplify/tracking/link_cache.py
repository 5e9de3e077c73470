"""Where short codes lead, in memory and bounded, so that a click costs no look-up.

A code that changes (campaign stopped, link disabled, host taken off the allow-list) must be noticed also when another
process changed it: entries are believed for BELIEVED_SECONDS and then read again, by whoever comes first.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from amplify.tracking.redirect import Target

BELIEVED_SECONDS = 2.0
MOST_LINKS = 100_000


class LinkCache:
    """Code -> target, the least recently used dropped first. `find` reads one code from the database."""

    def __init__(self, find: Callable[[str], Target | None], most: int = MOST_LINKS) -> None:
        self._find, self._most = find, most
        self._known: OrderedDict[str, tuple[float, Target]] = OrderedDict()

    def get(self, code: str) -> Target | None:
        """What is known and still believed; None says nothing: ask `load`."""
        known = self._known.get(code)
        if known is None or known[0] < time.monotonic():
            return None
        self._known.move_to_end(code)
        return known[1]

    def load(self, code: str) -> Target | None:
        """Read one code and remember it. Unknown codes are not remembered: guessing must not fill the memory."""
        target = self._find(code)
        if target is None:
            self._known.pop(code, None)
            return None
        self._known[code] = (time.monotonic() + BELIEVED_SECONDS, target)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return target

    def __len__(self) -> int:
        return len(self._known)
