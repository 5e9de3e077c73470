"""Hands a request of granian's native interface (RSGI) to a WSGI application, in a thread, and its answer back.

What granian's own WSGI server does, but beside coroutines in one process; `tests/core/test_bridge.py` holds the two
against each other. A body is taken in on the event loop, before a thread is spent on it: a slow upload holds nobody up.
"""

import asyncio
import io
import sys
from collections.abc import Callable, Coroutine, Iterable
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol

import structlog

# Larger bodies go to a file, which needs no name and is gone with its process.
IN_MEMORY_BYTES = 64 * 1024
# An answer up to here leaves in one piece, even if it was made in parts.
AT_ONCE_BYTES = 1_000_000
# A reader who takes nothing for so long is let go; its thread is needed.
SEND_SECONDS = 30.0

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

log = structlog.get_logger(__name__)


class Headers(Protocol):
    """Request headers, names in lower case. A value that is not ASCII is not there."""

    def get(self, key: str, default: Any = None) -> Any: ...
    def get_all(self, key: str) -> list[str]: ...
    def keys(self) -> list[str]: ...
    def items(self) -> list[tuple[str, str]]: ...
    def __contains__(self, key: str) -> bool: ...


class Scope(Protocol):
    """What granian says of a request (RSGI 1.6). `path` is decoded, `query_string` is not."""

    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None

    @property
    def headers(self) -> Headers: ...


class Cut(Exception):
    """The client hung up before its whole body was here."""


class NoLength(Exception):
    """A body of unknown length whose end nothing marks: half of it could pass for the whole."""


class Heard:
    """Takes an answer in where a protocol would send it, for one that is not to leave as it is."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self.status, self.content = 500, b""
        self.headers: list[tuple[str, str]] = []

    def __aiter__(self) -> Any:
        return self._protocol.__aiter__()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, content

    def take_header(self, name: str) -> str:
        """The value of this header, which is no longer one; empty if it was not there."""
        found = [value for key, value in self.headers if key.lower() == name]
        self.headers = [(key, value) for key, value in self.headers if key.lower() != name]
        return found[0] if found else ""


def host_of(scope: Scope) -> str:
    """The host that was asked for, perhaps with a port; HTTP/2 says it elsewhere than HTTP/1."""
    return str(scope.headers.get("host") or scope.authority or "")


def address_of(scope: Scope) -> str:
    """The other end of the connection, without its port."""
    return scope.client.rpartition(":")[0].strip("[]")


async def read_body(scope: Scope, protocol: Any, most: Callable[[], int], few: int) -> IO[bytes] | None:
    """The body, if the request has one. Reads one byte more than is allowed and stops: the application then refuses.

    `few` bytes are always allowed; `most()` is asked only beyond them. Raises Cut, NoLength.
    """
    announced = scope.headers.get("content-length")
    if announced in (None, "0") and "transfer-encoding" not in scope.headers and scope.method in ("GET", "HEAD"):
        return None
    if announced is None and "transfer-encoding" in scope.headers and not _marks_its_end(scope):
        raise NoLength  # granian says the same of a chunked body that ended and of one that was cut
    body: IO[bytes] = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115  closed after the answer
    size, allowed = 0, few
    async for chunk in protocol:
        size += len(chunk)
        if size > allowed == few:
            allowed = max(few, most())
        body.write(chunk[: len(chunk) - max(0, size - allowed - 1)])
        if size > allowed:
            break
    else:
        if announced is not None and size != int(announced):
            body.close()
            raise Cut
    body.seek(0)
    return body


def _marks_its_end(scope: Scope) -> bool:
    kind = str(scope.headers.get("content-type") or "").partition(";")[0].strip().lower()
    return kind.endswith(("/json", "+json")) or kind.startswith("multipart/")


def environ(scope: Scope, body: IO[bytes] | None) -> dict[str, Any]:
    """The request as WSGI wants it (PEP 3333): texts are bytes read as Latin-1.

    A name with an underscore is dropped: it would pass for the one with a dash, which a proxy in front may vouch for.
    """
    name, _, port = scope.server.rpartition(":")
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_NAME": name.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": address_of(scope),
        "HTTP_HOST": host_of(scope),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body or io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in scope.headers.items():
        if "_" in name or name == "host":
            continue
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        joint = "; " if key == "HTTP_COOKIE" else ","
        found[key] = f"{found[key]}{joint}{value}" if key in found else value
    return found


def answer(app: WsgiApp, scope: Scope, body: IO[bytes] | None, protocol: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Run the application in this thread and answer. Raises what it raises, if nothing was answered yet."""
    said: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
        said[:] = [int(status[:3]), headers]
        return lambda data: None

    try:
        parts = app(environ(scope, body), start_response)
        try:
            _send(parts, said, protocol, loop)
        finally:
            if hasattr(parts, "close"):
                parts.close()
    finally:
        if body is not None:
            body.close()


def _send(parts: Iterable[bytes], said: list[Any], protocol: Any, loop: asyncio.AbstractEventLoop) -> None:
    """At once if the answer is short, else part by part as it is made."""
    rest = iter(parts)
    first = next((part for part in rest if part), b"")  # an application says its status before its first part
    status, headers = said
    announced = next((int(value) for name, value in headers if name.lower() == "content-length"), None)
    if not first or isinstance(parts, list | tuple) or (announced is not None and announced <= AT_ONCE_BYTES):
        protocol.response_bytes(status, headers, b"".join(chain([first], rest)))
        return
    stream = protocol.response_stream(status, headers)
    try:
        for part in chain([first], rest):
            asyncio.run_coroutine_threadsafe(_send_part(stream, part), loop).result()
    except Exception as error:  # too late for another answer: this one ends, short of what was announced
        log.info("an answer was cut short", status=status, error=type(error).__name__)


async def _send_part(stream: Any, part: bytes) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await stream.send_bytes(part)


async def while_there(protocol: Any, work: Coroutine[Any, Any, None]) -> None:
    """Work for a client until it is done or the client has gone."""

    async def until_gone() -> None:
        await (
            protocol.client_disconnect()
        )  # granian's future is none of asyncio's: it cannot be waited for beside others

    tasks = asyncio.ensure_future(work), asyncio.ensure_future(until_gone())
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
