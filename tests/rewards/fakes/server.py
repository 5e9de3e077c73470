"""A provider on this machine, over real HTTP: each request is answered by one function, and faults can be planted."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Says(Exception):
    """An answer, raised from anywhere."""

    def __init__(self, status: int, body: Any, **headers: str) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


@dataclass
class Fake:
    """What every fake has: what it was asked, what it made, and faults that meet the next POSTs, in this order.

    "drop" does what it is asked and closes without an answer; "refuse" closes before it does; a number is a status.
    """

    asked: list[Asked] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    faults: list[Any] = field(default_factory=list)
    address: str = ""

    def answer(self, asked: Asked) -> None:
        """Raise Says."""
        raise NotImplementedError

    def posts(self) -> int:
        return sum(one.method == "POST" for one in self.asked)


def only(body: Any, allowed: set[str], where: str = "") -> None:
    """Unknown fields are refused, and named."""
    if not isinstance(body, dict):
        raise Says(400, {"errors": {"message": f"{where or 'body'} is no object"}})
    if unknown := sorted(set(body) - allowed):
        raise Says(400, {"errors": {"message": f"unknown field {where}{unknown[0]}"}})


@contextmanager
def served(fake: Any) -> Iterator[Any]:
    """The fake at `fake.address`, until the end of the block."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            with lock:
                fake.asked.append(asked)
                fault = fake.faults.pop(0) if fake.faults and self.command == "POST" else None
                if fault == "refuse":
                    return
                if isinstance(fault, int):
                    return self._say(Says(fault, {"errors": {"message": "planted"}}, **{"Retry-After": "1"}))
                try:
                    fake.answer(asked)
                except Says as said:
                    if fault != "drop":
                        self._say(said)

        def _say(self, said: Says) -> None:
            raw = json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(raw)),
                **said.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _do

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
