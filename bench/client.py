"""Sends a list of prepared requests over N open connections, each once, and says how it went."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LENGTH = re.compile(rb"(?i)content-length: *(\d+)")


@dataclass
class Sent:
    """What became of the requests: how many got which answer, and how long each took (seconds)."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    # How many answers said what `proof` looks for.
    proven: int = 0

    def percentile_ms(self, percent: float) -> float:
        ordered = sorted(self.latencies) or [0.0]
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1_000


def request(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """One HTTP/1.1 request as bytes."""
    parts = urlsplit(url)
    lines = {"Host": parts.netloc, **headers, **({"Content-Length": str(len(body))} if body else {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {parts.path} HTTP/1.1\r\n{head}\r\n".encode() + body


def send(base: str, requests: Sequence[bytes], *, connections: int = 16, proof: bytes = b"") -> Sent:
    """Send them all to `base` (host and port). An answer whose head holds `proof` is counted as proven."""
    return asyncio.run(_send(base, requests, connections, proof))


async def _send(base: str, requests: Sequence[bytes], connections: int, proof: bytes) -> Sent:
    parts, sent, rest = urlsplit(base), Sent(), iter(requests)
    streams = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(connections)]
    began = time.perf_counter()
    await asyncio.gather(*(_connection(reader, writer, rest, sent, proof) for reader, writer in streams))
    sent.seconds = time.perf_counter() - began
    for _reader, writer in streams:
        writer.close()
    return sent


async def _connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: Iterator[bytes], sent: Sent, proof: bytes
) -> None:
    for one in rest:
        began = time.perf_counter()
        writer.write(one)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        length = LENGTH.search(head)
        if length and int(length[1]):
            await reader.readexactly(int(length[1]))
        sent.latencies.append(time.perf_counter() - began)
        sent.statuses[int(head[9:12])] += 1
        sent.proven += bool(proof) and proof in head
