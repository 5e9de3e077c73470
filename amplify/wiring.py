"""Who reacts to what, what the durable engine runs, and what the worker does each round: the whole flow on one screen."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from amplify.core import events
from amplify.core.tokens import Signer

# Fact -> who reacts, in this order, in the publisher's transaction.
REACTIONS: Mapping[type, Sequence[events.Reaction]] = {}

# Worker round: each takes (session, limit) and returns how many rows it moved; 0 means nothing to do.
ROUNDS: Sequence[Callable[[Session, int], int]] = ()


def install(signer: Callable[[str], Signer]) -> None:
    """Connect the floors (once, at start)."""
    events.wire(REACTIONS)
