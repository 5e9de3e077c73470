"""A mail server with moods: which mail meets which is decided by the number in its address, so every run is alike."""

import asyncio
import re
from collections import Counter
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.faults.sink import CODE, Copy, Sink

# Of 200 mails in a row, these; how often it happens to each mail, and what.
MOODS: dict[int, tuple[int, str]] = {
    3: (2, "450 4.2.1 mailbox busy"),
    23: (1, "421 4.3.2 closing"),
    43: (10**9, "550 5.1.1 no such user"),
    44: (10**9, "550 5.1.1 no such user"),
    63: (2, "451 4.3.0 try again"),
    83: (1, "silence after the final dot"),
    123: (1, "drop after the final dot"),
    163: (1, "drop before the final dot"),
}
IN_A_ROW = 200
# Every so many connections, the greeting comes later than anybody waits.
SLOW_BANNER = 29
NUMBER = re.compile(r"^p(\d+)@")


def mood_of(address: str) -> tuple[int, str]:
    """How often, and what."""
    found = NUMBER.match(address)
    return MOODS.get(int(found[1]) % IN_A_ROW, (0, "")) if found else (0, "")


def is_refused_for_good(address: str) -> bool:
    return mood_of(address)[1].startswith("550")


class _Greeting(SMTP):
    """aiosmtpd's server, sometimes slow to say hello."""

    wait_seconds = 0.0
    opened: "list[asyncio.BaseTransport]"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.opened.append(transport)
        super().connection_made(transport)

    async def _handle_client(self) -> None:
        await asyncio.sleep(self.wait_seconds)
        await super()._handle_client()


class _Moody:
    """The handler of one connection."""

    def __init__(self, sink: "MoodySink", worker: int) -> None:
        self._sink, self._worker = sink, worker
        self.connection = next(sink.connections)

    def _meets(self, address: str, *kinds: str) -> str:
        """The mood of this kind that the mail meets now, counted; "" if none."""
        times, mood = mood_of(address)
        if not mood.startswith(kinds) or self._sink.met[address] >= times:
            return ""
        self._sink.met[address] += 1
        self._sink.moods[mood] += 1
        return mood

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self._meets(address, "450", "550")
        if not refusal:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        address = envelope.rcpt_tos[0]
        if refusal := self._meets(address, "421", "451"):
            return refusal
        if self._meets(address, "drop before"):
            return self._hang_up(server)
        assert isinstance(envelope.content, bytes)
        self._take(envelope.content, address)
        if self._meets(address, "drop after"):
            return self._hang_up(server)
        if self._meets(address, "silence"):
            await asyncio.sleep(self._sink.patience_seconds * 1.5)
        return "250 OK"

    def _take(self, content: bytes, address: str) -> None:
        mail = message_from_bytes(content, policy=default)
        assert isinstance(mail, EmailMessage)
        body = mail.get_body(("plain",))
        found = CODE.search(body.get_content()) if body is not None else None
        where = self._worker, self.connection, asyncio.get_running_loop().time()
        self._sink.journal.append(Copy(*where, str(mail["Message-ID"]), found[0] if found else "", address))

    def _hang_up(self, server: SMTP) -> str:
        assert server.transport is not None
        server.transport.abort()  # type: ignore[attr-defined]  # aiosmtpd types it loosely
        return "250 OK"


class MoodySink(Sink):
    """`met` counts per address, `moods` per mood; `patience_seconds` is how long those who send wait."""

    def __init__(self, patience_seconds: float) -> None:
        super().__init__()
        self.patience_seconds = patience_seconds
        self.met: Counter[str] = Counter()
        self.moods: Counter[str] = Counter()
        self.opened: list[asyncio.BaseTransport] = []

    async def _stop(self) -> None:
        for transport in self.opened:
            transport.close()
        await super()._stop()

    def _speaker(self, worker: int) -> SMTP:
        handler = _Moody(self, worker)
        greeting = _Greeting(handler, hostname="moody", loop=self._loop, enable_SMTPUTF8=True)
        greeting.opened = self.opened
        if handler.connection % SLOW_BANNER == 0:
            self.moods["slow banner"] += 1
            greeting.wait_seconds = self.patience_seconds * 1.5
        return greeting
