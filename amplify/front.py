"""The front: answers a person's click itself, by granian's native interface, and hands all else to Flask in threads.

`/s/<code>` must hold when a post goes viral. A click that only needs the link table, a row on disk and a redirect does
not pay for the framework; whatever is special about a request (a preview, an ended link, the advocate's own cookie, a
strange host) goes to the Flask view, which decides by the same rules (tracking.redirect) and says the same.
"""

import asyncio
import io
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol

from flask import Flask

from amplify.app import create_app
from amplify.core import clock
from amplify.core.db import db, reading
from amplify.core.settings import Settings, load
from amplify.core.tokens import uuid7
from amplify.sharing.tokens import ME_COOKIE
from amplify.tracking import visitors
from amplify.tracking.link_cache import LinkCache
from amplify.tracking.recorder import Recorder, Row, Writer
from amplify.tracking.redirect import HEADERS, Hit, Target, decide, read_hit, with_click
from amplify.tracking.services import find_target

PATH = "/s/"
WAY_ON = [*((name.lower(), value) for name, value in HEADERS.items()), ("content-length", "0")]


class Headers(Protocol):
    """Request headers, names in lower case."""

    def get(self, key: str, default: Any = None) -> Any: ...
    def items(self) -> list[tuple[str, str]]: ...


class Scope(Protocol):
    """What granian says of a request (RSGI 1.6)."""

    proto: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None
    headers: Headers


class Front:
    """The RSGI application of one process."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._hosts = frozenset(settings.hosts)
        self._links = LinkCache(self._find)
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="pages")
        self._salt = ("", "")
        with app.app_context():
            self._engine = db.engine

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        inline = self._engine.dialect.name == "sqlite"
        self._clicks = Recorder(Writer(self._engine), loop, inline=inline)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._clicks.close()
        self._threads.shutdown()

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        if scope.method == "GET" and scope.path.startswith(PATH) and self._is_plain(scope):
            address = await self._way_on(scope)
            if address is not None:
                protocol.response_empty(302, [("location", address), *WAY_ON])
                return
        body = None if scope.method in ("GET", "HEAD") else await self._read(protocol)
        await self._loop.run_in_executor(self._threads, self._page, scope, body, protocol)

    async def _read(self, protocol: Any) -> IO[bytes]:
        """The body, in memory while small. Reads one byte more than any route takes: Flask then says 413."""
        body: IO[bytes] = SpooledTemporaryFile(self._settings.max_body_bytes)  # noqa: SIM115  closed after the answer
        room = self._settings.max_import_bytes + 1
        async for chunk in protocol:
            body.write(chunk[:room])
            room -= min(room, len(chunk))
        body.seek(0)
        return body

    def _is_plain(self, scope: Scope) -> bool:
        """A request nothing is special about."""
        host = (scope.authority or scope.headers.get("host") or "").rpartition(":")
        cookie = scope.headers.get("cookie")
        return (host[0] or host[2]) in self._hosts and (cookie is None or ME_COOKIE not in cookie)

    async def _way_on(self, scope: Scope) -> str | None:
        """Where this click goes, once it is stored; None if Flask is to answer."""
        code = scope.path[len(PATH) :]
        target = self._links.get(code) or await self._loop.run_in_executor(self._threads, self._links.load, code)
        headers = scope.headers
        hit = read_hit(scope.method, lambda name: headers.get(name.lower()) or "", is_own=False)
        answer = decide(hit, target, clock.now())
        if target is None or answer.kind != "redirect":
            return None
        row = await self._row(target, hit, scope)
        stored = await self._clicks.record(row)
        return with_click(answer.url, str(row[0]) if stored else None)

    async def _row(self, target: Target, hit: Hit, scope: Scope) -> Row:
        at = clock.now()
        day = at.date().isoformat()
        if self._salt[0] != day:
            self._salt = (day, await self._loop.run_in_executor(self._threads, self._salt_of_today))
        address = client_address(scope, self._settings.proxies)
        visitor = visitors.key_of(self._settings.secret, self._salt[1], _prefix(address), hit.user_agent)
        return (
            uuid7(),
            target.link_id,
            at,
            hit.method,
            hit.user_agent,
            hit.referrer_host,
            hit.language,
            "",
            visitor,
            hit.purpose,
            hit.gpc,
            hit.is_own,
        )

    def _find(self, code: str) -> Target | None:
        with self._app.app_context(), reading():
            return find_target(db.session, code)

    def _salt_of_today(self) -> str:
        with self._app.app_context():
            salt = visitors.salt_of(db.session, clock.now())
            db.session.commit()
            return salt

    def _page(self, scope: Scope, body: IO[bytes] | None, protocol: Any) -> None:
        """A request through WSGI, in one of the threads."""
        said: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
            said[:] = [int(status[:3]), headers]
            return lambda data: None

        answer = self._app.wsgi_app(environ(scope, body), start_response)
        try:
            content = b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
            if body is not None:
                body.close()
        protocol.response_bytes(said[0], said[1], content)


_prefix = lru_cache(maxsize=10_000)(visitors.prefix)


def client_address(scope: Scope, proxies: int) -> str:
    """The visitor's address: the connection's, or what the last of our own `proxies` wrote down."""
    forwarded = str(scope.headers.get("x-forwarded-for") or "").split(",") if proxies else []
    if len(forwarded) >= proxies > 0:
        return forwarded[-proxies].strip()
    return scope.client.rpartition(":")[0]


def environ(scope: Scope, body: IO[bytes] | None) -> dict[str, Any]:
    """The request as WSGI wants it (PEP 3333)."""
    host, _, port = scope.server.rpartition(":")
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
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
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def create() -> Front:
    """For granian: the front of an installation with the settings in force."""
    settings = load()
    return Front(create_app(settings), settings)
