"""The recorder: nobody is told of a click that is not on disk, and nobody waits for ever."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from amplify.core import clock
from amplify.core.db import Base
from amplify.core.tokens import uuid7
from amplify.tracking import recorder
from amplify.tracking.models import Click
from amplify.tracking.recorder import LOST, STORED, PostgresWriter, Recorder, Row, SqliteWriter, recorder_for, text_of
from tests.tracking.world import make_world


@pytest.fixture
def engine(new_database: Callable[[], str]) -> Any:
    address = sa.make_url(new_database())
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    made = sa.create_engine(address, pool_pre_ping=True)
    Base.metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def link_id(engine: Engine) -> int:
    with sa.orm.Session(engine) as session, session.begin():
        world = make_world(session)
        return world.link(world.advocate()).id


def a_click(link_id: int, agent: str = "Somebody") -> Row:
    return (uuid7().hex, link_id, text_of(clock.now()), "GET", agent, "", "es", "", "v", "", 1, 0)


def record_one(clicks: Recorder, row: Row) -> "asyncio.Future[bool]":
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    clicks.record(row, told.set_result)  # raises if it is told twice
    return told


def stored(engine: Engine) -> set[Any]:
    with engine.connect() as connection:
        return set(connection.scalars(sa.select(Click.token)))


def run(recording: Callable[[asyncio.AbstractEventLoop], Awaitable[Any]]) -> Any:
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(recording(loop))
    finally:
        loop.close()


def counted() -> tuple[float, float]:
    return STORED._value.get(), LOST._value.get()


def test_each_acknowledged_click_is_stored_as_it_was(engine: Engine, link_id: int) -> None:
    rows = [a_click(link_id, agent=f"Agent {n}; ñ 🙂 {{,}}\\\"'") for n in range(2_500)]
    before = counted()

    async def record(loop: asyncio.AbstractEventLoop) -> list[bool]:
        clicks = recorder_for(engine, loop)
        told = await asyncio.gather(*(record_one(clicks, row) for row in rows))
        clicks.close()
        return told

    assert all(run(record))
    assert counted() == (before[0] + 2_500, before[1])
    with sa.orm.Session(engine) as session:
        found = {click.token.hex: click for click in session.scalars(sa.select(Click))}
    for row in rows:
        click = found[row[0]]
        assert (text_of(click.at), click.user_agent, click.gpc, click.is_own) == (row[2], row[4], True, False)
    assert len(found) == 2_500


def test_a_refused_group_is_lost_alone_and_said(engine: Engine, link_id: int) -> None:
    before = counted()

    async def record(loop: asyncio.AbstractEventLoop) -> list[bool]:
        clicks = recorder_for(engine, loop)
        once = a_click(link_id)
        told = [await record_one(clicks, once), await record_one(clicks, once)]
        told.append(await record_one(clicks, a_click(link_id)))
        clicks.close()
        return told

    assert run(record) == [True, False, True]
    assert len(stored(engine)) == 2
    assert counted() == (before[0] + 2, before[1] + 1)


def test_a_held_lock_is_waited_for_in_a_thread_while_the_loop_goes_on(engine: Engine, link_id: int) -> None:
    async def record(loop: asyncio.AbstractEventLoop) -> tuple[bool, int]:
        clicks = recorder_for(engine, loop)
        with engine.connect() as other:
            if engine.dialect.name == "sqlite":
                other.execute(sa.text("SELECT 1"))  # core.db begins with BEGIN IMMEDIATE
            else:
                other.execute(sa.text("LOCK TABLE clicks IN ACCESS EXCLUSIVE MODE"))
            waiting = record_one(clicks, a_click(link_id))
            turns = 0
            until = time.monotonic() + 0.3
            while time.monotonic() < until:
                await asyncio.sleep(0.001)
                turns += 1
            assert not waiting.done()
            other.rollback()
        told = await asyncio.wait_for(waiting, 3)
        clicks.close()
        return told, turns

    told, turns = run(record)
    assert told
    assert turns > 30


def test_nobody_waits_for_a_database_that_hangs_and_it_heals(
    engine: Engine, link_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "PATIENCE_SECONDS", 0.3)
    hang = threading.Event()
    kind = SqliteWriter if engine.dialect.name == "sqlite" else PostgresWriter
    writer = kind(engine)

    class Hanging:
        close = writer.close

        def __call__(self, rows: Sequence[Row], patience_seconds: float) -> float:
            hang.wait(10)
            return writer(rows, patience_seconds)

    before = counted()

    async def record(loop: asyncio.AbstractEventLoop) -> list[bool]:
        clicks = Recorder([Hanging()], loop, inline=False)
        first = record_one(clicks, a_click(link_id))
        await asyncio.sleep(0.01)
        queued = record_one(clicks, a_click(link_id))
        told = [await asyncio.wait_for(first, 2), await asyncio.wait_for(queued, 2)]
        began = time.monotonic()
        told.append(await record_one(clicks, a_click(link_id)))
        assert time.monotonic() - began < 0.1
        hang.set()
        while not clicks._idle:
            await asyncio.sleep(0.01)
        told.append(await record_one(clicks, a_click(link_id)))
        clicks.close()
        return told

    assert run(record) == [False, False, False, True]
    # The first was given up, but it did reach the disk: it counts as stored, the two that were never tried as lost.
    assert counted() == (before[0] + 2, before[1] + 2)
    assert len(stored(engine)) == 2


class Disk:
    """Takes as long as it is told to; `inline`: which groups were written on the loop's own thread."""

    def __init__(self) -> None:
        self.seconds = 0.0001
        self.inline: list[bool] = []
        self._loop_thread = threading.get_ident()

    def __call__(self, rows: Sequence[Row], patience_seconds: float) -> float:
        self.inline.append(threading.get_ident() == self._loop_thread)
        return self.seconds

    def close(self) -> None:
        """Nothing is open."""


def test_a_slow_disk_moves_to_a_thread_and_a_fast_one_back() -> None:
    disk = Disk()

    async def record(loop: asyncio.AbstractEventLoop) -> None:
        clicks = Recorder([disk], loop, inline=True)
        disk.seconds = 0.005
        for _ in range(20):
            await record_one(clicks, a_click(1))
        assert disk.inline[0]
        assert not any(disk.inline[10:])
        disk.seconds = 0.0001
        for _ in range(20):
            await record_one(clicks, a_click(1))
        disk.inline.clear()
        for _ in range(5):
            await record_one(clicks, a_click(1))
        assert all(disk.inline)
        clicks.close()

    run(record)


def test_a_hiccup_is_no_slow_disk() -> None:
    disk = Disk()

    async def record(loop: asyncio.AbstractEventLoop) -> None:
        clicks = Recorder([disk], loop, inline=True)
        for seconds in (0.0003, 1.0, *[0.0003] * 20):
            disk.seconds = seconds
            await record_one(clicks, a_click(1))
        clicks.close()

    run(record)
    assert all(disk.inline)


def test_what_waits_when_the_loop_ends_is_stored(engine: Engine, link_id: int) -> None:
    async def record(loop: asyncio.AbstractEventLoop) -> Recorder:
        clicks = recorder_for(engine, loop)
        for _ in range(3):
            record_one(clicks, a_click(link_id))
        return clicks

    run(record).close()
    assert len(stored(engine)) == 3
