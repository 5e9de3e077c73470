"""One WSGI application that says what it was asked, served twice: by granian's own WSGI, and over our bridge."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from amplify.core import bridge


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Its environ as JSON; `/slow` gives parts over time, `/empty` a 304, `/broken` raises in the middle."""
    path = environ["PATH_INFO"]
    if path == "/empty":
        start_response("304 Not Modified", [("ETag", '"x"')])
        return []
    if path in ("/slow", "/broken"):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return parts(path)
    if path == "/large":
        start_response("200 OK", [("Content-Length", "3000000")])
        return (b"x" * 30_000 for _ in range(100))
    body = environ["wsgi.input"].read()
    said = {k: v for k, v in environ.items() if isinstance(v, str) and k not in os.environ}
    answer = json.dumps({**said, "body": len(body), "text": body[:50].decode("latin-1")}).encode()
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer))), *cookies])
    return iter([answer]) if environ["REQUEST_METHOD"] != "HEAD" else iter(())


def parts(path: str) -> Iterator[bytes]:
    """Three parts, 0.2 s apart."""
    for number in range(3):
        yield f"data: {number}\n\n".encode()
        if path == "/broken":
            raise RuntimeError("broken in the middle")
        time.sleep(0.2)


class Bridged:
    """The same over RSGI. Bodies over 1,000 bytes are for /upload only."""

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    async def __rsgi__(self, scope: bridge.Scope, protocol: Any) -> None:
        try:
            body = await bridge.read_body(scope, protocol, lambda: 2_000_000 if scope.path == "/upload" else 0, 1_000)
        except bridge.Cut:
            print("cut", flush=True)
            return
        except bridge.NoLength:
            protocol.response_empty(411, [])
            return
        await self._loop.run_in_executor(None, bridge.answer, app, scope, body, protocol, self._loop)


bridged = Bridged()
