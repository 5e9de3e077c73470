"""Drives one address of this machine with N open connections for a few seconds, bounded in time, and says how it went.

Uses wrk when it is installed, else a small client of our own in a process of its own; both are used the same way for
every server of a run, so that ratios stay honest. `--own-client` insists on ours.
"""

import asyncio
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "m": 60_000.0}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Load:
    """What one slice of load came to. Latencies in milliseconds."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


@dataclass(frozen=True)
class Spread:
    """Which addresses are asked for: the path and behind it a random number below `count`, times `step`."""

    count: int = 1
    step: int = 1

    def draw(self) -> str:
        """What comes behind the path; nothing if there is only one address."""
        return str(random.randrange(self.count) * self.step) if self.count > 1 else ""  # noqa: S311  no secret

    def script(self, path: str) -> str:
        """The same for wrk."""
        if self.count == 1:
            return ""
        number = f"string.format('%d', math.random(0, {self.count - 1}) * {self.step})"
        return f"math.randomseed(7)\nrequest = function() return wrk.format('GET', '{path}' .. {number}) end\n"


def drive(
    url: str, *, connections: int, seconds: float, agent: str, own_client: bool = False, spread: Spread | None = None
) -> Load:
    """Load `url` (loopback only) and measure. Raises ValueError for any other host."""
    if urlsplit(url).hostname not in LOOPBACK:
        raise ValueError("load goes to this machine only")
    wrk = None if own_client else shutil.which("wrk")
    spread = spread or Spread()
    if wrk:
        return _wrk(wrk, url, connections, seconds, agent, spread)
    return _own(url, connections, seconds, agent, spread)


def _wrk(wrk: str, url: str, connections: int, seconds: float, agent: str, spread: Spread) -> Load:
    command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "--timeout", "10s"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(spread.script(urlsplit(url).path))
        script.flush()
        said = subprocess.run(
            [*command, "-s", script.name, "-H", f"User-Agent: {agent}", url], capture_output=True, text=True, check=True
        ).stdout

    def figure(pattern: str) -> float:
        found = re.search(pattern, said)
        return float(found[1]) if found else 0.0

    def latency(percent: str) -> float:
        found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s|m)", said)
        return float(found[1]) * UNITS_MS[found[2]] if found else float("nan")

    errors = sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", said))
    return Load(
        requests=int(figure(r"(\d+) requests in")),
        per_second=figure(r"Requests/sec:\s+([\d.]+)"),
        p50_ms=latency("50"),
        p99_ms=latency("99"),
        failed=errors + int(figure(r"Non-2xx or 3xx responses: (\d+)")),
    )


def _own(url: str, connections: int, seconds: float, agent: str, spread: Spread) -> Load:
    where = [str(spread.count), str(spread.step)]
    command = [sys.executable, "-m", "bench.load", url, str(connections), str(seconds), agent, *where]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Load(**json.loads(said))


class _Client:
    """One keep-alive connection that asks again as soon as it was answered."""

    def __init__(self, host: str, port: int, request: Callable[[], bytes], until: float) -> None:
        self.host, self.port, self.request, self.until = host, port, request, until
        self.latencies: list[float] = []
        self.failed = 0

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        while time.monotonic() < self.until:
            began = time.perf_counter()
            writer.write(self.request())
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if length and int(length[1]):
                await reader.readexactly(int(length[1]))
            self.latencies.append(time.perf_counter() - began)
            self.failed += head[9:10] not in (b"2", b"3")
        writer.close()


async def _drive(url: str, connections: int, seconds: float, agent: str, spread: Spread) -> Load:
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80

    def request() -> bytes:
        path = parts.path + spread.draw()
        return f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: {agent}\r\n\r\n".encode()

    began = time.monotonic()
    clients = [_Client(host, port, request, began + seconds) for _ in range(connections)]
    await asyncio.wait_for(asyncio.gather(*(client.run() for client in clients)), seconds + 15)
    took = time.monotonic() - began
    latencies = sorted(latency for client in clients for latency in client.latencies)
    return Load(
        requests=len(latencies),
        per_second=len(latencies) / took,
        p50_ms=latencies[len(latencies) // 2] * 1_000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1_000,
        failed=sum(client.failed for client in clients),
    )


if __name__ == "__main__":
    address, many, length, who, count, step = sys.argv[1:]
    drawn = Spread(int(count), int(step))
    print(json.dumps(asdict(asyncio.run(_drive(address, int(many), float(length), who, drawn)))))
