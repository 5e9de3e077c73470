"""Streams to screens on walls, served by coroutines: none keeps a page's thread, and there is a bound on how many.

One reader in one thread looks at the boards that are watched, once per pause, however many watch them; each stream gets
what is new since it was last told. A database that is away is waited for, with heartbeats meanwhile.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import structlog

from amplify.leaderboards.live import END, HEARTBEAT, Picture, event

# Told to the process when it is about to stop, before it waits for answers that are under way.
LET_GO = signal.SIGUSR1
PAUSE_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0
# A screen that takes nothing for so long is let go.
SEND_SECONDS = 30.0

Read = Callable[[Sequence[int]], Mapping[int, Picture]]

log = structlog.get_logger(__name__)


class Streams:
    """The open streams of one process. `read` gives the pictures of links; it is called in a thread."""

    def __init__(self, read: Read, most: int) -> None:
        self._read, self._most = read, most
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="walls")
        self._watched: Counter[int] = Counter()
        self._pictures: Mapping[int, Picture] = {}
        # Which look was begun last, which ended last, and whether somebody came since.
        self._begun = self._ended = 0
        self._somebody_new = False
        self._round = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def has_room(self) -> bool:
        """Whether one more may be opened."""
        return self._watched.total() < self._most and not self._stopping

    def stop(self) -> None:
        """End every stream; the screens come again, to whoever serves then."""
        self._stopping = True
        self._wake()
        self._thread.shutdown(wait=False)

    async def serve(self, stream: Any, link_id: int, seen: str) -> None:
        """Tell of the link's board until it ends or nobody listens; `seen` is the version the screen has."""
        self._watched[link_id] += 1
        try:
            if self._reader is None or self._reader.done():
                self._reader = asyncio.create_task(self._look())
            await self._tell(stream, link_id, seen)
        finally:
            self._watched[link_id] -= 1
            self._watched += Counter()  # forgets what nobody watches

    async def _tell(self, stream: Any, link_id: int, seen: str) -> None:
        told: Picture | None = None
        came, self._somebody_new = self._begun, True
        while not self._stopping:
            coming = self._round  # taken before looking: what happens while we send is not missed
            if self._ended > came:  # an older look knows less than the screen
                picture = self._pictures.get(link_id)
                if picture is None:
                    await _send(stream, END)
                    return
                if picture.version != (told.version if told else seen):
                    await _send(stream, event(picture, told))
                told = picture
            if not await _comes(coming):
                await _send(stream, HEARTBEAT)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while self._watched and not self._stopping:
            self._begun += 1
            is_due, self._somebody_new = self._somebody_new, False
            try:
                found = await loop.run_in_executor(self._thread, self._read, sorted(self._watched))
            except Exception as error:  # the database is away: the screens keep what they show
                log.warning("the boards on walls could not be read", error=type(error).__name__)
                self._somebody_new = is_due
            else:
                is_due = is_due or found != self._pictures
                self._pictures, self._ended = found, self._begun
                if is_due:
                    self._wake()
            await asyncio.sleep(PAUSE_SECONDS)

    def _wake(self) -> None:
        self._round.set()
        self._round = asyncio.Event()


async def _comes(round_: asyncio.Event) -> bool:
    """Whether something changed before a heartbeat was due."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            await round_.wait()
            return True
    return False


async def _send(stream: Any, part: bytes) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await stream.send_bytes(part)
