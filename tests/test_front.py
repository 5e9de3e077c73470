"""The front as people meet it: a real `amplify serve`, real sockets, and a database that goes away."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.core import schema
from amplify.front import CROWD_PER_SECOND, Crowd
from amplify.tracking.models import Click
from tests.delivery.mailserver import free_port
from tests.tracking.world import CHROME, FACEBOOK, make_world

TOKEN = re.compile(rb"amplify_click=([0-9a-f-]{36})")


@dataclass
class Served:
    """A running front: where it is, one link of it, and its database."""

    port: int
    code: str
    engine: Engine
    process: "subprocess.Popen[bytes]"
    log: Path

    def ask(self, path: str, *headers: str, method: str = "GET", body: bytes = b"") -> tuple[int, bytes, bytes]:
        """Status, head and body."""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
        lines += [f"Content-Length: {len(body)}"] if body else []
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            got = b""
            while part := connection.recv(65536):
                got += part
        head, _, content = got.partition(b"\r\n\r\n")
        return int(head[9:12]), head, content

    def click(self, *headers: str) -> str | None:
        """Follow the link as a person: the click's token, or None if there was none."""
        status, head, _body = self.ask(f"/s/{self.code}", f"User-Agent: {CHROME}", *headers)
        assert status == 302, head
        assert b"location: https://shop.example/landing" in head
        found = TOKEN.search(head)
        return found[1].decode() if found else None

    def stored(self) -> set[UUID]:
        with self.engine.connect() as connection:
            return set(connection.scalars(sa.select(Click.token)))

    def metric(self, name: str) -> float:
        body = self.ask("/metrics")[2].decode()
        found = re.search(rf"^{name}_total ([\d.e+]+)$", body, re.MULTILINE)
        return float(found[1]) if found else 0.0


@pytest.fixture(scope="module")
def served(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    address, folder, port = new_database(), tmp_path_factory.mktemp("front"), free_port()
    url = sa.make_url(address)
    name = url if "sqlite" in address else url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(name, poolclass=sa.pool.NullPool)
    schema.upgrade(engine)
    with Session(engine) as session, session.begin():
        world = make_world(session)
        code = world.link(world.advocate()).code
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AMPLIFY_", "PROMETHEUS_"))}
    settings = {"DATABASE_URL": address, "DATA_DIR": str(folder / "var"), "COUNTRY_HEADER": "CF-IPCountry"}
    environ = {**kept, **{f"AMPLIFY_{name}": value for name, value in settings.items()}}
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "amplify", "serve", "--no-worker", "--port", str(port), "--json"]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=log)  # noqa: S603
    assert process.stdout
    assert process.stdout.readline(), (folder / "log").read_text()[-3000:]
    yield Served(port, code, engine, process, folder / "log")
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    process.stdout.close()
    engine.dispose()


def test_a_click_is_on_disk_before_its_answer(served: Served) -> None:
    before = served.metric("amplify_clicks_stored")
    tokens = [served.click("Accept-Language: es-MX,es;q=0.9", "Referer: https://t.example/x?y") for _ in range(5)]
    assert {UUID(str(token)) for token in tokens} <= served.stored()
    assert served.metric("amplify_clicks_stored") == before + 5
    with Session(served.engine) as session:
        click = session.scalars(sa.select(Click).where(Click.token == UUID(str(tokens[0])))).one()
        assert (click.language, click.referrer_host, click.user_agent) == ("es-MX", "t.example", CHROME)


def test_the_front_keeps_the_facts_that_few_requests_have(served: Served) -> None:
    token = served.click("CF-IPCountry: mx", "Sec-GPC: 1", "Sec-Purpose: prefetch;prerender")
    plain = served.click()
    with Session(served.engine) as session:
        facts = sa.select(Click.country, Click.gpc, Click.purpose)
        assert session.execute(facts.where(Click.token == UUID(str(token)))).one() == ("MX", True, "prefetch;prerender")
        assert session.execute(facts.where(Click.token == UUID(str(plain)))).one() == ("", False, "")


def test_what_is_special_is_answered_by_the_page_behind(served: Served) -> None:
    status, _head, body = served.ask(f"/s/{served.code}", f"User-Agent: {FACEBOOK}")
    assert (status, b"og:title" in body) == (200, True)
    assert served.ask(f"/s/{served.code}", f"User-Agent: {CHROME}", method="HEAD")[0] == 302
    assert served.ask(f"/s/{served.code}", "Cookie: amplify_me=nonsense", f"User-Agent: {CHROME}")[0] == 302
    status, _head, body = served.ask(f"/s/{served.code}", method="POST", body=b"x=1")
    assert status == 405


def test_sixty_silent_sockets_delay_nobody(served: Served) -> None:
    with ExitStack() as stack:
        for number in range(60):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", served.port)))
            held.sendall(
                (
                    b"",
                    b"GET /s/x HTTP/1.1\r\nHost: h\r\n",
                    b"POST /login HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n",
                )[number % 3]
            )
        began = time.monotonic()
        for _ in range(10):
            assert served.click()
            assert served.ask("/healthz")[0] == 200
        assert time.monotonic() - began < 5


def test_a_guesser_is_refused_but_no_click_of_the_same_network_is(served: Served) -> None:
    statuses = [served.ask(f"/s/guess{n}", f"User-Agent: {CHROME}", "Accept-Language: es")[0] for n in range(60)]
    assert statuses[0] == 404
    assert statuses[-1] == 429
    assert set(statuses) == {404, 429}
    _status, head, body = served.ask("/s/guess-again", "Accept-Language: es")
    assert b"retry-after: 1" in head
    assert b'lang="es"' in body
    assert served.click()


def test_a_stopped_campaign_is_noticed_within_two_seconds(served: Served) -> None:
    assert served.click()
    _set_state(served, "stopped")
    stopped = time.monotonic()
    status = 302
    while status == 302 and time.monotonic() - stopped < 2.5:
        status = served.ask(f"/s/{served.code}", f"User-Agent: {CHROME}")[0]
        time.sleep(0.05)
    took = time.monotonic() - stopped
    _set_state(served, "live")
    assert status == 410
    assert took < 2.3  # a busy test machine is given 0.3 s
    time.sleep(1.6)
    assert served.click()


def _set_state(served: Served, state: str) -> None:
    with Session(served.engine) as session, session.begin():
        session.execute(sa.update(Campaign).values(state=state))


def test_people_go_on_without_a_token_while_nothing_can_be_stored(served: Served) -> None:
    assert served.click()
    lost = served.metric("amplify_clicks_lost")
    before = len(served.stored())
    _break(served)
    try:
        assert [served.click() for _ in range(3)] == [None] * 3
    finally:
        _mend(served)
    assert len(served.stored()) == before
    assert served.click()
    assert served.metric("amplify_clicks_lost") == lost + 3
    assert "clicks lost" in served.log.read_text()


def _break(served: Served) -> None:
    """Nothing can be written: on SQLite the disk is full for this table, on PostgreSQL every connection is cut."""
    with served.engine.connect() as connection, connection.begin():
        if served.engine.dialect.name == "sqlite":
            trigger = "CREATE TRIGGER full BEFORE INSERT ON clicks BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            connection.exec_driver_sql(trigger)
            return
        name = connection.scalar(sa.text("SELECT current_database()"))
        connection.execute(sa.text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n AND pid <> pg_backend_pid()"
        connection.execute(sa.text(cut), {"n": name})


def _mend(served: Served) -> None:
    with served.engine.connect() as connection, connection.begin():
        if served.engine.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER full")
            return
        connection.execute(sa.text("SET TRANSACTION READ WRITE"))
        name = connection.scalar(sa.text("SELECT current_database()"))
        connection.execute(sa.text(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'))
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n AND pid <> pg_backend_pid()"
        connection.execute(sa.text(cut), {"n": name})


def test_a_body_that_is_too_large_or_without_an_end_is_refused(served: Served) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    assert served.ask("/login", form, method="POST", body=b"x" * 1_100_000)[0] in (400, 413)
    assert served.ask("/login", form, "Transfer-Encoding: chunked", method="POST")[0] == 411


def test_stopping_answers_and_stores_what_is_in_work(served: Served) -> None:
    tokens = []
    with ExitStack() as stack:
        people = [stack.enter_context(socket.create_connection(("127.0.0.1", served.port))) for _ in range(20)]
        request = f"GET /s/{served.code} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {CHROME}\r\n\r\n".encode()
        for person in people:
            person.sendall(request)
        served.process.send_signal(signal.SIGTERM)
        for person in people:
            person.settimeout(20)
            if found := TOKEN.search(person.recv(65536)):
                tokens.append(UUID(found[1].decode()))
    assert served.process.wait(60) == 0
    assert tokens
    assert set(tokens) <= served.stored()


def test_a_crowd_is_there_from_its_second_on_and_gone_when_nobody_clicks() -> None:
    crowd = Crowd()
    for number in range(CROWD_PER_SECOND):
        assert not crowd.is_here(100.0)
        crowd.click(100.0 + number / CROWD_PER_SECOND)
    assert crowd.is_here(101.5)
    crowd.click(101.6)
    assert crowd.is_here(101.7)  # this second is young
    assert not crowd.is_here(102.7)
    crowd.click(103.0)
    assert not crowd.is_here(103.1)
    assert not crowd.is_here(200.0)
