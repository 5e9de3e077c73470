"""A mail server outside what is broken: it writes down every copy that reached it, and from whom.

Each worker that is started gets a port of its own here, so that a copy tells who sent it.
"""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import count
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

CODE = re.compile(r"\bPOOL-[0-9-]+\b")


@dataclass(frozen=True)
class Copy:
    """One mail that arrived. `at` is seconds of time.monotonic()."""

    worker: int
    connection: int
    at: float
    message_id: str
    code: str
    address: str


class _Reader:
    """The handler of one connection."""

    def __init__(self, sink: "Sink", worker: int) -> None:
        self._sink, self._worker = sink, worker
        self._connection = next(sink.connections)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        body = mail.get_body(("plain",))
        found = CODE.search(body.get_content()) if body is not None else None
        where = self._worker, self._connection, time.monotonic()
        self._sink.journal.append(
            Copy(*where, str(mail["Message-ID"]), found[0] if found else "", envelope.rcpt_tos[0])
        )
        # Taken, but not yet said so: who dies now cannot know.
        await asyncio.sleep(self._sink.delay_seconds)
        return "250 OK"


class Sink:
    """The journal, and a port for each worker. `delay_seconds` passes between taking a mail and saying so."""

    def __init__(self, delay_seconds: float = 0.0) -> None:
        self.delay_seconds = delay_seconds
        self.journal: list[Copy] = []
        self.connections = count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sink", daemon=True)
        self._servers: dict[int, asyncio.Server] = {}

    def listen(self, worker: int = 0) -> int:
        """The port on 127.0.0.1 whose mails are this worker's."""
        return asyncio.run_coroutine_threadsafe(self._listen(worker), self._loop).result(10)

    async def _listen(self, worker: int) -> int:
        server = await self._loop.create_server(lambda: self._speaker(worker), "127.0.0.1", 0, family=socket.AF_INET)
        self._servers[worker] = server
        address: Any = server.sockets[0].getsockname()
        return int(address[1])

    def _speaker(self, worker: int) -> SMTP:
        """Who speaks with the next connection of this worker's."""
        return SMTP(_Reader(self, worker), hostname="sink", loop=self._loop, enable_SMTPUTF8=True)

    def forget(self, worker: int) -> None:
        """Nobody speaks there any more. A thousand dead would use up what a process may hold open."""
        if server := self._servers.pop(worker, None):
            self._loop.call_soon_threadsafe(server.close)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close what listens and what is connected."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        for server in self._servers.values():
            server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


@contextmanager
def listening(delay_seconds: float = 0.0) -> Iterator[Sink]:
    """The server, until the block ends."""
    sink = Sink(delay_seconds)
    sink.start()
    try:
        yield sink
    finally:
        sink.stop()
