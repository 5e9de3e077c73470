"""Whether this process is still taken for alive by the others: who cannot be sure does nothing that another may do too.

A worker says every two seconds that it lives. One that could not for a while (a full machine, a database that was away)
is buried by another, which does its work again. So it asks here before each thing that cannot be undone.
"""

import time

_until: float | None = None


def felt(for_seconds: float) -> None:
    """The others know that we live, and believe it for so long from now on."""
    global _until
    _until = time.monotonic() + for_seconds


def forget() -> None:
    """Nobody looks any more."""
    global _until
    _until = None


def is_sure() -> bool:
    """Whether nobody can have taken us for dead; true where nobody ever looks (a test, a command)."""
    return _until is None or time.monotonic() < _until
