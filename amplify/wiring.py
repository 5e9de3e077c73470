"""Who reacts to what, what the durable engine runs, and what the worker does each round: the whole flow on one screen."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from amplify.core import events
from amplify.core.alarms import Alarm
from amplify.core.jobs import Job
from amplify.core.tokens import Signer

# Fact -> who reacts, in this order, in the publisher's transaction.
REACTIONS: Mapping[type, Sequence[events.Reaction]] = {}

# Worker round: each takes (session, limit) and returns how many rows it moved; 0 means nothing to do.
# Each round has a lease of its own and one transaction per call; one worker at a time runs it.
ROUNDS: Sequence[Callable[[Session, int], int]] = ()

# What the durable engine runs (core.jobs): named here so that every worker knows it.
JOBS: Sequence[Job] = ()

# What the clock rings for: when it is due next, and what to do then. Late rings still ring; ringing twice is harmless.
ALARMS: Sequence[Alarm] = ()


def install(signer: Callable[[str], Signer]) -> None:
    """Connect the floors (once, at start)."""
    events.wire(REACTIONS)
