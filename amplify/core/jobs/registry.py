"""What a job is: a name, a function, and how patient we are with it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amplify.core.logs import scrub

Payload = dict[str, Any]
Work = Callable[[Payload], None]

LONGEST_WAIT_SECONDS = 3600.0
# A job that was running when its worker died this often is taken for the cause of death.
CRASHES = 10

_jobs: dict[str, "Job"] = {}


class Permanent(Exception):
    """Raised by a job that knows that trying again is useless: it is parked at once."""


class JobParked(Exception):
    """Ends an attempt for good; its text is what `amplify jobs list` shows."""


def describe(error: BaseException) -> str:
    """What is kept of an error: kind and message, without mail addresses, which would outlive their people here."""
    said = str(error) if isinstance(error, JobParked) else f"{type(error).__name__}: {error}"
    return str(scrub(said))[:500]


@dataclass(frozen=True)
class Job:
    """A registered job. Calling it does the work once, here."""

    name: str
    work: Work
    attempts: int
    first_wait_seconds: float
    priority: int

    def __call__(self, payload: Payload) -> None:
        self.work(payload)

    def wait_seconds(self, attempt: int, error: BaseException | None = None) -> float:
        """How long to wait after the failed `attempt` (1, 2, ...): doubling, +-50 % so that many failures spread.

        An error with `retry_after_seconds` (what the other side asked for) is obeyed if it is longer.
        """
        doubled = min(LONGEST_WAIT_SECONDS, self.first_wait_seconds * 2.0 ** min(attempt - 1, 30))
        jittered = doubled * (0.5 + random.random())  # noqa: S311 (spreads load, hides nothing)
        return max(jittered, float(getattr(error, "retry_after_seconds", None) or 0.0))


def job(name: str, *, attempts: int = 20, first_wait_seconds: float = 5.0, priority: int = 10) -> Callable[[Work], Job]:
    """Register a function as the job `name`; lower priorities go first.

    20 attempts with waits of 5 s doubling to an hour last about half a day. Raises ValueError if the name is taken.
    """

    def register(work: Work) -> Job:
        if name in _jobs:
            raise ValueError(f"there is already a job named {name!r}")
        _jobs[name] = Job(name, work, attempts, first_wait_seconds, priority)
        return _jobs[name]

    return register


def find(name: str) -> Job:
    """The job of this name. Raises LookupError when no imported module registers it."""
    try:
        return _jobs[name]
    except KeyError:
        raise LookupError(f"no job is named {name!r}; is it in wiring.JOBS?") from None


def names() -> list[str]:
    """Every registered job, by name."""
    return sorted(_jobs)
