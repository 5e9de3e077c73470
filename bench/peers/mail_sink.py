"""A mail server that only counts, in a process of its own: python -m bench.peers.mail_sink PORT

One loop, no thread, no parsing but for what SMTP needs, PIPELINING: so that whoever sends is what is measured. XCOUNT
answers with a line of JSON: how many mails, how many Message-IDs, and when each tenth of `XCOUNT n` was there.
"""

import asyncio
import json
import os
import re
import sys
import time

MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*(\S+)")
END = b"\r\n.\r\n"


class Arrived:
    """What came in since the last XRESET."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.message_ids: set[bytes] = set()

    def forget(self) -> None:
        self.times.clear()
        self.message_ids.clear()

    def take(self, content: bytes) -> None:
        self.times.append(time.time())
        found = MESSAGE_ID.search(content)
        self.message_ids.add(found[1] if found else b"")

    def said(self) -> bytes:
        told = {"mails": len(self.times), "message_ids": len(self.message_ids), "tenth": 0.0, "last": 0.0}
        if self.times:
            told |= {"tenth": self.times[len(self.times) // 10], "last": self.times[-1]}
        return f"250 {json.dumps(told)}\r\n".encode()


class Smtp(asyncio.Protocol):
    """One connection."""

    def __init__(self, arrived: Arrived) -> None:
        self.arrived = arrived
        self.rest = b""
        self.is_text = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.rest += data
        answers: list[bytes] = []
        while True:
            end = END if self.is_text else b"\r\n"
            piece, found, rest = self.rest.partition(end)
            if not found:
                break
            self.rest = rest
            answers.append(self._text(piece) if self.is_text else self._command(piece))
        if answers:
            self.transport.write(b"".join(answers))

    def _text(self, content: bytes) -> bytes:
        self.is_text = False
        self.arrived.take(content)
        return b"250 taken\r\n"

    def _command(self, line: bytes) -> bytes:
        word = line[:4].upper()
        if word == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
        if word == b"DATA":
            self.is_text = True
            return b"354 go on\r\n"
        if word == b"XCOU":
            return self.arrived.said()
        if word == b"XRES":
            self.arrived.forget()
        return b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n"


async def serve(port: int) -> None:
    arrived = Arrived()
    server = await asyncio.get_running_loop().create_server(lambda: Smtp(arrived), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    os.nice(19)  # it stands for another machine: it must not take this one's processors from those who look at a page
    asyncio.run(serve(int(sys.argv[1])))
