"""The front: answers a person's click itself, by granian's native interface, and hands all else to Flask in threads.

`/s/<code>` must hold when a post goes viral. A click that only needs the link table, a row on disk and a redirect does
not pay for the framework; whatever is special about a request (a preview, an ended link, the advocate's own cookie, a
strange host) goes to the Flask view, which decides by the same rules (tracking.redirect) and says the same.
Pages have their own threads and a bound on how many wait; links have others, so that no page delays a click; while a
crowd clicks, two pages at a time are made.
"""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import date, datetime
from functools import lru_cache, partial
from math import ceil
from typing import IO, Any

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from amplify.app import create_app
from amplify.core import bridge, clock, parent, problems, slices
from amplify.core.bridge import Scope
from amplify.core.db import db, reading
from amplify.core.i18n import LANGUAGES, best_language
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import access_of
from amplify.core.settings import Settings, load
from amplify.core.tokens import dashed, uuid7_rest, uuid7_start
from amplify.leaderboards import live
from amplify.leaderboards.shared_views import FOLLOW, STREAM_END, STREAM_START
from amplify.leaderboards.streams import LET_GO, Streams
from amplify.sharing.tokens import ME_COOKIE
from amplify.tracking import visitors
from amplify.tracking.link_cache import Guesses, LinkCache
from amplify.tracking.recorder import LOST, recorder_for, text_of
from amplify.tracking.redirect import (
    HEADERS,
    RARE,
    Hit,
    Target,
    country_of,
    read_person,
    read_plain_person,
    with_click,
)
from amplify.tracking.services import find_targets

PATH = "/s/"
# As granian wants them: names in lower case.
WAY_ON = [(name.lower(), value) for name, value in HEADERS.items()]
SPECIAL = RARE | {"cookie"}
LINK_THREADS = 4
# While so many people click, no more pages are made at a time: each that is keeps the interpreter from the clicks.
CROWD_PER_SECOND = 200
LANES = 2
# Pages that may wait for each thread; whoever comes then is told to come again.
WAITING_PER_THREAD = 32
RETRY_SECONDS = 5
FINISH_SECONDS = 10.0
# How long one thread may keep the interpreter while others want it. Python's own 5 ms, times as many threads as make
# pages, is what a click would wait at each step of its way.
SWITCH_SECONDS = 0.0005
REFUSALS = {
    411: ("length-required", _l("Say how long the body is: send a Content-Length.")),
    429: ("too-many-requests", _l("Too many requests. Wait a moment, then try again.")),
    500: ("internal-error", _l("It has been written down, and nothing was stored.")),
    503: ("unavailable", _l("Please try again in a moment.")),
}

log = structlog.get_logger(__name__)


class Crowd:
    """How many people click, second by second; times are those of the loop."""

    def __init__(self) -> None:
        self._since, self._clicks, self._was_crowded = 0.0, 0, False

    def click(self, at: float) -> None:
        """One more."""
        if at - self._since >= 1:
            self._was_crowded = self.is_here(at)
            self._since, self._clicks = at, 0
        self._clicks += 1

    def is_here(self, at: float) -> bool:
        """Whether there is a crowd: in this second, or in the one before while this one is not over."""
        age = at - self._since
        return age < 2 and (self._clicks >= CROWD_PER_SECOND or (age < 1 and self._was_crowded))


class Front:
    """The RSGI application of one process."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app, self._settings, self._secret = app, settings, settings.secret
        self._hosts = frozenset(settings.hosts)
        self._country_header = settings.country_header.lower()
        self._pages = ThreadPoolExecutor(settings.threads, thread_name_prefix="pages")
        self._room = settings.threads * (1 + WAITING_PER_THREAD)
        self._crowd, self._lanes = Crowd(), asyncio.Semaphore(LANES)
        self._threads = ThreadPoolExecutor(LINK_THREADS, thread_name_prefix="links")
        self._links, self._guesses = LinkCache(self._find, self._threads), Guesses()
        self._streams = Streams(self._read_walls, settings.wall_streams)
        self._salt = (date.min, "")
        self._turn = -1.0
        self._asked_salt: asyncio.Future[str] | None = None
        self._in_work = 0
        with app.app_context():
            self._engine = db.engine
        # Made now: they must cost nothing when there is no time for anything, and Flask may not run on the loop.
        self._refusals = {
            (status, language, for_machine): self._make_refusal(status, language, for_machine)
            for status in REFUSALS
            for language in LANGUAGES
            for for_machine in (False, True)
        }

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.collect()
        gc.freeze()  # what was imported stays: no collection has to walk over it while people wait
        self._clicks = recorder_for(self._engine, loop)
        loop.add_signal_handler(LET_GO, self._streams.stop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(self._finish())
        self._clicks.close()
        self._pages.shutdown()
        self._threads.shutdown()

    async def _finish(self) -> None:
        """Let whoever was here when we were told to stop be answered."""
        until = self._loop.time() + FINISH_SECONDS
        while self._in_work and self._loop.time() < until:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # the answers themselves leave by granian's threads

    def __rsgi__(self, scope: Scope, protocol: Any) -> Awaitable[None]:
        try:
            clicked = self._known_click(scope, protocol)
        except Exception:  # it is met again there, and said
            clicked = None
        return clicked or self._serve(scope, protocol)

    async def _serve(self, scope: Scope, protocol: Any) -> None:
        self._in_work += 1
        try:
            if scope.path.startswith(PATH):
                await self._link(scope, protocol)
            elif scope.path.startswith(STREAM_START) and scope.path.endswith(STREAM_END) and scope.method == "GET":
                await self._wall(scope, protocol)
            else:
                await self._page(scope, protocol)
        except bridge.Cut:
            log.info("a client hung up in the middle of its body")
        except bridge.NoLength:
            self._refuse(scope, protocol, 411)
        except SQLAlchemyError as error:
            log.warning("a link could not be looked up", error=type(error).__name__)
            self._refuse(scope, protocol, 503)
        except Exception as error:  # nobody is left without an answer
            log.exception("a request failed in front of the pages", error=type(error).__name__)
            self._refuse(scope, protocol, 500)
        finally:
            self._in_work -= 1

    # Links.

    def _known_click(self, scope: Scope, protocol: Any) -> "asyncio.Future[None] | None":
        """A click that needs its row on disk and nothing else; done once it is answered. None of anything else.

        Nearly all are of this kind, and a future is all that is kept for one: no coroutine.
        """
        path = scope.path
        if not path.startswith(PATH) or (target := self._links.get(path[len(PATH) :])) is None:
            return None
        now = self._now()
        if not target.is_open(now) or self._salt[0] != now.date() or (hit := self._person(scope)) is None:
            return None
        return self._store(target, hit, scope, protocol)

    async def _link(self, scope: Scope, protocol: Any) -> None:
        code = scope.path[len(PATH) :]
        if "/" in code:
            await self._page(scope, protocol)
            return
        target = self._links.get(code) or await self._links.ask(code)
        if target is None and (wait := self._guesses.wait_seconds(self._network(scope))):
            self._refuse(scope, protocol, 429, ceil(wait))
        elif target is not None and target.is_open(now := self._now()) and (hit := self._person(scope)):
            if await self._has_salt(target, now):
                await self._store(target, hit, scope, protocol)
            else:
                _lead_on(protocol, target.url, None)
        else:
            body = await bridge.read_body(scope, protocol, lambda: 0, 0)
            await self._loop.run_in_executor(self._threads, self._run, scope, body, protocol)

    def _person(self, scope: Scope) -> Hit | None:
        """What a person said; None of a machine, or if anything is special about it: that is the page's to answer."""
        headers = scope.headers
        host, _, port = (headers.get("host") or bridge.host_of(scope)).rpartition(":")
        if scope.method != "GET" or (host or port) not in self._hosts:
            return None
        if SPECIAL.isdisjoint(headers.keys()):
            return read_plain_person(headers.get)
        if ME_COOKIE in ";".join(headers.get_all("cookie")):
            return None
        return read_person(headers.get)

    def _now(self) -> datetime:
        """One instant for all clicks of a turn of the loop, whose own time stands still meanwhile."""
        turn = self._loop.time()
        if turn != self._turn:
            self._turn, self._instant = turn, clock.now()
            self._text, self._token_start = text_of(self._instant), uuid7_start()
        return self._instant

    def _store(self, target: Target, hit: Hit, scope: Scope, protocol: Any) -> "asyncio.Future[None]":
        """Store this click with the next group, then lead the person on; that is when the future is done."""
        self._crowd.click(self._turn)
        answered: asyncio.Future[None] = self._loop.create_future()
        token = self._token_start + uuid7_rest()
        method, agent, purpose, referrer_host, language, gpc, is_own = hit
        visitor = visitors.key_of(self._secret, self._salt[1], self._network(scope), agent)
        country = country_of(scope.headers.get(self._country_header)) if self._country_header else ""
        self._in_work += 1
        self._clicks.record(
            (
                token, target.link_id, self._text, method, agent, referrer_host, language, country, visitor, purpose,
                int(gpc), int(is_own),
            ),
            partial(self._answer, protocol, target.url, token, answered),
        )  # fmt: skip
        return answered

    def _answer(self, protocol: Any, url: str, token: str, answered: "asyncio.Future[None]", stored: bool) -> None:
        self._in_work -= 1
        _lead_on(protocol, url, token if stored else None)
        if not answered.done():  # a visitor who hung up; the click is a fact all the same
            answered.set_result(None)

    async def _has_salt(self, target: Target, at: datetime) -> bool:
        """Whether this day's salt is at hand. Without it no click can be stored: the database is away."""
        try:
            if self._salt[0] != at.date():
                self._salt = (at.date(), await self._salt_of(at))
        except Exception as error:  # whatever it is: people are led on, and the loss is said
            LOST.inc()
            log.exception("a click was lost", link_id=target.link_id, error=type(error).__name__)
            return False
        return True

    def _network(self, scope: Scope) -> str:
        return _prefix(client_address(scope, self._settings.proxies))

    # What the database knows, read in a thread.

    def _find(self, codes: Sequence[str]) -> dict[str, Target]:
        with self._app.app_context(), reading():
            return find_targets(db.session, codes)

    async def _salt_of(self, at: datetime) -> str:
        """The day's salt, read once for all who come meanwhile."""
        if self._asked_salt is None:
            self._asked_salt = self._loop.run_in_executor(self._threads, self._read_salt, at)
        asked = self._asked_salt
        try:
            return await asked
        finally:
            self._asked_salt = None

    def _read_salt(self, at: datetime) -> str:
        with self._app.app_context():
            salt = visitors.salt_of(db.session, at)
            db.session.commit()
            return salt

    # Pages.

    async def _wall(self, scope: Scope, protocol: Any) -> None:
        """A page says whether the board may be seen and what it shows; from then on no thread is kept."""
        if not self._streams.has_room:
            self._refuse(scope, protocol, 503, RETRY_SECONDS)
            return
        first = bridge.Heard(protocol)
        await self._page(scope, first)
        link_id, _, version = first.take_header(FOLLOW).partition(":")
        if not link_id:
            protocol.response_bytes(first.status, first.headers, first.content)
            return
        first.take_header("content-length")
        stream = protocol.response_stream(first.status, first.headers)
        with suppress(Exception):  # whoever watched has gone, or takes nothing any more
            await stream.send_bytes(first.content)
            await bridge.while_there(protocol, self._streams.serve(stream, int(link_id), version))

    def _read_walls(self, link_ids: Sequence[int]) -> dict[int, live.Picture]:
        with self._app.app_context(), reading():
            return live.pictures(db.session, link_ids, clock.now())

    async def _page(self, scope: Scope, protocol: Any) -> None:
        few = self._settings.max_body_bytes
        body = await bridge.read_body(scope, protocol, lambda: self._most_bytes(scope), few)
        if not self._room:
            self._refuse(scope, protocol, 503, RETRY_SECONDS)
            return
        self._room -= 1
        try:
            async with self._lanes if self._crowd.is_here(self._loop.time()) else nullcontext():
                await self._loop.run_in_executor(self._pages, self._run, scope, body, protocol)
        finally:
            self._room += 1

    def _run(self, scope: Scope, body: IO[bytes] | None, protocol: Any) -> None:
        bridge.answer(self._app.wsgi_app, scope, body, protocol, self._loop)

    def _most_bytes(self, scope: Scope) -> int:
        """How large a body the view behind this address takes."""
        try:
            endpoint, _arguments = self._app.url_map.bind("").match(scope.path, scope.method)
        except HTTPException:
            return 0
        access = access_of(self._app.view_functions.get(endpoint))
        return self._settings.max_import_bytes if access and access.large_body else 0

    # Refusals.

    def _refuse(self, scope: Scope, protocol: Any, status: int, retry_seconds: int = RETRY_SECONDS) -> None:
        wanted = str(scope.headers.get("accept-language") or "")
        language = best_language(wanted.partition(",")[0].partition(";")[0])
        headers, content = self._refusals[status, language, scope.path.startswith(("/api/", "/in/"))]
        with suppress(Exception):  # answered already, or hung up
            protocol.response_bytes(status, [*headers, ("retry-after", str(retry_seconds))], content)

    def _make_refusal(self, status: int, language: str, for_machine: bool) -> tuple[list[tuple[str, str]], bytes]:
        address, base = "/in/-" if for_machine else "/-", self._settings.base_url
        with self._app.test_request_context(address, base, headers={"Accept-Language": language}):
            code, detail = REFUSALS[status]
            response = self._app.process_response(problems.answer(problems.Problem(status, code, str(detail))))
            return response.headers.to_wsgi_list(), response.get_data()


def _lead_on(protocol: Any, url: str, token: str | None) -> None:
    try:  # with suppress() this takes half as long again
        protocol.response_empty(302, [("location", with_click(url, dashed(token) if token else None)), *WAY_ON])
    except Exception:  # hung up
        return


_prefix = lru_cache(maxsize=10_000)(visitors.prefix)


def client_address(scope: Scope, proxies: int) -> str:
    """The visitor's address: the connection's, or what the last of our own `proxies` wrote down."""
    if proxies:
        forwarded = ",".join(scope.headers.get_all("x-forwarded-for")).split(",")
        if len(forwarded) >= proxies:
            return forwarded[-proxies].strip()
    return bridge.address_of(scope)


def create() -> Front:
    """For granian: the front of an installation with the settings in force, in a process that ends with granian."""
    parent.end_with_it()
    slices.ask_for_short()
    settings = load()
    return Front(create_app(settings), settings)
