"""The worker leaves SQLite's one writer, and on PostgreSQL the processors, to others while they want them."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from amplify.core import pace
from amplify.core.pace import (
    FREE_REST,
    FREE_ROWS,
    FREE_SECONDS,
    IDLE_SECONDS,
    LEAST_ROWS,
    MOST_ROWS,
    QUIET_TURN_SECONDS,
    TURN_SECONDS,
    Free,
    Polite,
    pace_for,
)


def write(file: Path, until: threading.Event) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        while not until.wait(0.001):
            connection.execute("INSERT INTO rows DEFAULT VALUES")


def pass_a_turn(polite: Polite | Free, seconds: float = 0.0, name: str = "round") -> int:
    with polite.turn(name) as rows:
        time.sleep(seconds)
    return rows


def test_on_postgresql_a_heap_of_work_moves_more_at_a_time_until_that_takes_too_long() -> None:
    free = pace_for(None, threading.Event())
    assert [pass_a_turn(free) for _ in range(3)] == [MOST_ROWS] * 3  # nothing to do
    busy = [pass_a_turn(free, 2 * IDLE_SECONDS) for _ in range(6)]
    assert busy[:2] == [MOST_ROWS, 2 * MOST_ROWS]
    assert busy[-1] == FREE_ROWS
    pass_a_turn(free, 2 * FREE_SECONDS)
    assert pass_a_turn(free) <= FREE_ROWS // 2
    assert pass_a_turn(free, name="other") == MOST_ROWS


def test_on_postgresql_a_heap_of_work_is_followed_by_a_rest_that_ends_with_the_worker() -> None:
    stopping = threading.Event()
    free = Free(stopping)
    assert seconds_of_a_turn(free, IDLE_SECONDS / 2) < IDLE_SECONDS * 2
    assert seconds_of_a_turn(free, 0.3) >= 0.3 * (1 + FREE_REST)
    stopping.set()
    assert seconds_of_a_turn(free, 0.3) < 0.3 * (1 + FREE_REST)


def test_quick_turns_may_move_more_and_slow_ones_less(file: Path) -> None:
    polite = Polite(file, threading.Event())
    quick = [pass_a_turn(polite) for _ in range(8)]
    assert quick[0] == LEAST_ROWS
    assert quick[-1] == MOST_ROWS
    pass_a_turn(polite, 4 * QUIET_TURN_SECONDS)
    assert pass_a_turn(polite) <= MOST_ROWS // 2
    assert pass_a_turn(polite, name="other") == LEAST_ROWS


def test_a_turn_is_followed_by_a_rest_while_somebody_writes_and_by_none_otherwise(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "LOOK_SECONDS", 0.4)  # however slow the disk is, somebody wrote meanwhile
    polite, until = Polite(file, threading.Event()), threading.Event()
    writer = threading.Thread(target=write, args=(file, until))
    writer.start()
    with_others = seconds_of_a_turn(polite, 0.4)
    until.set()
    writer.join()
    assert with_others > 0.4 * 3
    assert seconds_of_a_turn(polite, 0.4) < 0.4 * 3


def test_a_turn_is_short_while_somebody_writes_and_longer_while_nobody_does(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "LOOK_SECONDS", 0.4)
    polite, until = Polite(file, threading.Event()), threading.Event()
    writer = threading.Thread(target=write, args=(file, until))
    writer.start()
    for _ in range(2):
        pass_a_turn(polite, 0.2)
    busy = pass_a_turn(polite, 0.2)
    until.set()
    writer.join()
    pass_a_turn(polite, TURN_SECONDS)
    assert busy == LEAST_ROWS
    assert pass_a_turn(polite, TURN_SECONDS) == 2 * busy


def seconds_of_a_turn(polite: Polite | Free, seconds: float) -> float:
    began = time.monotonic()
    pass_a_turn(polite, seconds)
    return time.monotonic() - began


def test_turns_are_taken_one_at_a_time(file: Path) -> None:
    polite, inside, most = Polite(file, threading.Event()), [0], [0]

    def take(name: str) -> None:
        for _ in range(20):
            with polite.turn(name):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.001)
                inside[0] -= 1

    threads = [threading.Thread(target=take, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
