"""Boards on walls as screens meet them: real streams, a bound on them, and pages that never wait for them."""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.walls import Wall, on_the_wall

MOST = 4


class Screen:
    """One open stream."""

    def __init__(self, wall: Wall, *headers: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", wall.port), timeout=10)
        lines = [f"GET {wall.path}/events HTTP/1.1", "Host: 127.0.0.1", "Accept: text/event-stream", *headers]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._got = b""
        self.head = self._until(b"\r\n\r\n").decode()

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def _until(self, end: bytes) -> bytes:
        while end not in self._got:
            part = self._socket.recv(65536)
            assert part, self._got
            self._got += part
        said, _, self._got = self._got.partition(end)
        return said

    def event(self) -> tuple[str, str, Any]:
        """Name, id and data of the next event; what is no event is passed over."""
        while True:
            lines = [line.strip() for line in self._until(b"\n\n").decode().splitlines()]
            fields = dict(line.partition(": ")[::2] for line in lines if ": " in line)
            if "data" in fields:
                return fields["event"], fields.get("id", ""), json.loads(fields["data"])

    def is_silent(self, seconds: float) -> bool:
        """Whether no event comes for so long."""
        self._socket.settimeout(seconds)
        try:
            self.event()
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(10)
        return False


@pytest.fixture(scope="module")
def wall(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    """One page thread, and room for four screens."""
    folder: Path = tmp_path_factory.mktemp("wall")
    with on_the_wall(new_database(), folder, threads=1, wall_streams=MOST) as found:
        yield found


def ask(wall: Wall, path: str) -> int:
    with socket.create_connection(("127.0.0.1", wall.port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(65536)[9:12])


def test_a_screen_gets_the_board_once_and_then_only_the_lines_that_changed(wall: Wall) -> None:
    with Screen(wall) as screen:
        assert "200" in screen.head.splitlines()[0]
        assert "text/event-stream" in screen.head
        assert "x-follow" not in screen.head.lower()
        name, first, whole = screen.event()
        assert (name, len(whole["lines"]), whole["ranked"]) == ("board", 3, 3)
        began = time.monotonic()
        wall.click_for(2, visitor=90)
        name, second, _leading = screen.event()
        assert time.monotonic() - began < 5
        assert name == "board"
        assert second != first
        # A stream whose first look came after that click was sent the whole; from here on it knows what was told.
        wall.click_for(2, visitor=89)
        name, third, change = screen.event()
        assert (name, third != second, change["length"]) == ("board", True, 3)
        assert [line[0] for line in change["lines"]] == [0]
        assert screen.is_silent(1.5)


def test_who_comes_back_is_told_only_what_is_new(wall: Wall) -> None:
    with Screen(wall) as screen:
        _name, seen, _whole = screen.event()
    with Screen(wall, f"Last-Event-ID: {seen}") as screen:
        assert screen.is_silent(1.5)
        wall.click_for(1, visitor=91)
        assert screen.event()[0] == "board"
    with Screen(wall, f"Last-Event-ID: {seen}") as screen:
        assert len(screen.event()[2]["lines"]) == 3


def test_screens_keep_no_page_thread_and_one_too_many_is_told_to_wait(wall: Wall) -> None:
    with ExitStack() as stack:
        screens = [stack.enter_context(Screen(wall)) for _ in range(MOST)]
        for screen in screens:
            screen.event()
        began = time.monotonic()
        assert [ask(wall, "/healthz") for _ in range(5)] == [200] * 5
        assert ask(wall, wall.path) == 200
        assert time.monotonic() - began < 5
        with Screen(wall) as refused:
            assert "503" in refused.head.splitlines()[0]
            assert "retry-after" in refused.head.lower()
    # Screens that went are noticed at the latest when there is something to tell them.
    wall.click_for(1, visitor=92)
    until, status = time.monotonic() + 5, "503"
    while status == "503" and time.monotonic() < until:
        with Screen(wall) as again:
            status = again.head.split()[1]
    assert status == "200"


def test_a_link_that_is_unknown_has_no_stream(wall: Wall) -> None:
    assert ask(wall, "/shared/nothing-here/events") == 404


def test_a_revoked_link_ends_its_screens(wall: Wall) -> None:
    with Screen(wall) as screen:
        screen.event()
        wall.revoke()
        assert screen.event()[0] == "end"
    assert ask(wall, f"{wall.path}/events") == 410


def test_stopping_lets_screens_go_at_once(new_database: Callable[[], str], tmp_path: Path) -> None:
    with on_the_wall(new_database(), tmp_path) as wall, Screen(wall) as screen:
        screen.event()
        began = time.monotonic()
        wall.process.send_signal(signal.SIGTERM)
        assert wall.process.wait(30) == 0
        assert time.monotonic() - began < 8
