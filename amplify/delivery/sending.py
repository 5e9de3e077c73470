"""Sending messages in small groups: looked at together, sent one after the other over one connection, noted together.

A group is at most GROUP messages and GROUP_SECONDS long. So a worker that dies repeats few, and whoever pauses, stops
or unsubscribes is obeyed by every message that is looked at later: by all that begin to leave GROUP_SECONDS after it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock, pulse
from amplify.core.db import reading
from amplify.core.failpoints import reach
from amplify.core.settings import Settings
from amplify.delivery.channel import Channel, open_channel
from amplify.delivery.checking import check
from amplify.delivery.envelope import Outgoing
from amplify.delivery.errors import DeliveryFailure, TransientFailure
from amplify.delivery.models import Message
from amplify.delivery.outcomes import note_failure, note_not_sent, note_sent

GROUP = 100
# From the look at a group to the last mail of it that is begun.
GROUP_SECONDS = 0.25
# The first of a process: nobody knows yet how fast the other side is. Later ones begin as large as the last could be.
FIRST_GROUP = 10
_sizes: dict[str, int] = {}
# Held by the one thread of this process that looks at a group or notes it; the others wait for the other side. Looking
# is work for Python, which does one thing at a time, and for the database, where those who look at a page are waiting.
_desk = threading.Lock()
# One broken connection is this message's, or chance; after the second the other side is left in peace for a while.
LOST_IN_A_ROW = 2

Sessions = Callable[[], Session]


@dataclass
class Batch:
    """What became of the messages of one batch, and what the other side said to those that must be tried again."""

    sent: int = 0
    not_sent: int = 0
    put_off: int = 0
    later: list[str] = field(default_factory=list)
    retry_after_seconds: float | None = None
    # Broken connections, one after the other.
    lost: int = 0
    # Nothing more can be sent now.
    is_over: bool = False

    def hear(self, outcome: DeliveryFailure | None) -> None:
        """What became of one that was tried."""
        if isinstance(outcome, TransientFailure):
            self.put_back(outcome)
            self.lost = self.lost + 1 if outcome.is_connection_lost else 0
            self.is_over = outcome.is_channel_down or self.lost == LOST_IN_A_ROW
            return
        self.lost = 0
        self.sent += outcome is None
        self.not_sent += outcome is not None

    def put_back(self, failure: TransientFailure) -> None:
        """One that must be tried again, and how long the other side asks to wait."""
        self.later.append(str(failure))
        asked = (self.retry_after_seconds, failure.retry_after_seconds)
        self.retry_after_seconds = max((one for one in asked if one is not None), default=None)


def send_batch(sessions: Sessions, settings: Settings, ids: Sequence[int], release: str = "") -> Batch:
    """Send those of these messages that are still to be sent, one connection per channel. Needs an application context.

    Nothing is raised for what one message meets: see `Batch.later`. A dead worker loses at most the note of the group
    that it was sending: those are sent again, with the same Message-ID. `release` is the handing over that this batch
    is of: messages that were put off since, or handed over again, are left to the other one.
    """
    batch = Batch()
    ours = sa.select(Message.channel, Message.id).where(Message.id.in_(ids), Message.not_before <= clock.now())
    with reading(), sessions() as session:
        kinds = session.execute(ours.where(Message.release == release) if release else ours).all()
    for name, group in groupby(sorted((row.channel, row.id) for row in kinds), key=lambda row: row[0]):
        batch.lost, batch.is_over = 0, False
        with open_channel(name, settings) as channel:
            _send_all(sessions, channel, [message_id for _name, message_id in group], release, batch)
    return batch


def _send_all(sessions: Sessions, channel: Channel, ids: list[int], release: str, batch: Batch) -> None:
    size = _sizes.get(channel.name, FIRST_GROUP)
    while ids and not batch.is_over:
        with _desk:
            if not pulse.is_sure():  # another worker may have been given these
                batch.put_back(TransientFailure("this worker was not heard of for a while", is_channel_down=True))
                return
            found = check(sessions, channel.settings, ids[:size], release)
        for message_id, rule in found.forbidden.items():
            note_not_sent(sessions, message_id, "suppressed", rule)
        outcomes = _send_group(channel, found.ready, found.at + GROUP_SECONDS, batch)
        with _desk:
            _note(sessions, outcomes)
        for message_id, failure in found.broken.items():
            batch.put_back(failure)
            note_failure(sessions, message_id, failure)
        batch.put_off += len(found.waits)
        unsent = [message_id for message_id in found.ready if message_id not in outcomes]
        ids = [*found.not_yet, *unsent, *ids[size:]]
        size = max(1, len(outcomes)) if unsent else min(GROUP, 2 * size)
        _sizes[channel.name] = size


def _send_group(
    channel: Channel, ready: Mapping[int, Outgoing], until: float, batch: Batch
) -> dict[int, DeliveryFailure | None]:
    """Send as many of these as there is time for, and at least one; what became of each."""
    outcomes: dict[int, DeliveryFailure | None] = {}

    def in_time() -> Iterator[Outgoing]:
        for place, outgoing in enumerate(ready.values()):
            if place and time.monotonic() > until:
                return
            reach("send-before")
            yield outgoing

    with closing(channel.send_each(in_time())) as heard:
        for message_id, outcome in zip(ready, heard, strict=False):
            outcomes[message_id] = outcome
            batch.hear(outcome)
            if outcome is None:
                reach("send-after")
            if batch.is_over:
                break
    return outcomes


def _note(sessions: Sessions, outcomes: Mapping[int, DeliveryFailure | None]) -> None:
    if sent := [message_id for message_id, failure in outcomes.items() if failure is None]:
        reach("note-before")
        note_sent(sessions, sent)
        reach("note-after")
    for message_id, failure in outcomes.items():
        # Where nobody answered, nothing was tried.
        if failure is not None and not (isinstance(failure, TransientFailure) and failure.is_channel_down):
            note_failure(sessions, message_id, failure)
