"""Who reacts to what, what the durable engine runs, and what the worker does each round: the whole flow on one screen."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.orm import Session

from amplify.core import events
from amplify.core.alarms import Alarm
from amplify.core.jobs import Job
from amplify.core.tokens import Signer
from amplify.leaderboards import reactions as points
from amplify.leaderboards.services import project
from amplify.sharing.events import ShareConfirmed
from amplify.tracking.events import ConversionRefunded, Converted, HumanClicked
from amplify.tracking.services import track
from amplify.tracking.visitors import forget_salts

# Fact -> who reacts, in this order, in the publisher's transaction.
REACTIONS: Mapping[type, Sequence[events.Reaction]] = {
    ShareConfirmed: (points.on_share_confirmed,),
    HumanClicked: (points.on_human_click,),
    Converted: (points.on_converted,),
    ConversionRefunded: (points.on_refunded,),
}

# Worker round: each takes (session, limit) and returns how many rows it moved; 0 means nothing to do.
# Each round has a lease of its own and one transaction per call; one worker at a time runs it.
ROUNDS: Sequence[Callable[[Session, int], int]] = (track, project, forget_salts)

# What the durable engine runs (core.jobs): named here so that every worker knows it.
JOBS: Sequence[Job] = ()

# What the clock rings for: when it is due next, and what to do then. Late rings still ring; ringing twice is harmless.
ALARMS: Sequence[Alarm] = ()


def install(signer: Callable[[str], Signer]) -> None:
    """Connect the floors (once, at start)."""
    events.wire(REACTIONS)
