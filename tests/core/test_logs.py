"""Log lines: one JSON object each, and nothing in them that names a person or opens a door."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from amplify.core import logs
from amplify.core.settings import Settings


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    logs.configure(Settings(env="test"), process="web")
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def said(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_our_lines_and_the_libraries_lines_are_json(lines: io.StringIO) -> None:
    structlog.get_logger("ours").info("worker ready", worker="w-1")
    logging.getLogger("theirs").warning("slow %s", "query", extra={"seconds": 3})
    ours, theirs = said(lines)
    assert (ours["event"], ours["worker"], ours["process"], ours["level"]) == ("worker ready", "w-1", "web", "info")
    assert (theirs["event"], theirs["seconds"], theirs["logger"]) == ("slow query", 3, "theirs")
    assert str(ours["at"]).endswith("Z")


def test_nobody_is_named_and_no_door_is_opened(lines: io.StringIO) -> None:
    structlog.get_logger().warning(
        "no mailbox ana@example.org",
        email="ana@example.org",
        api_key="amp_1.secret",
        detail={"authorization": "Bearer abc", "to": ["Ana <ana@example.org>"]},
        url="postgresql://amplify:geheim@db/amplify",
    )
    try:
        raise ValueError("refused: ana@example.org")
    except ValueError:
        structlog.get_logger().exception("failed")
    text = lines.getvalue()
    for canary in ("ana@", "amp_1", "Bearer", "geheim"):
        assert canary not in text
    assert "ValueError: refused: <address>" in text


def test_a_line_cannot_be_forged(lines: io.StringIO) -> None:
    structlog.get_logger().info("given", text='x"}\n{"event": "forged"}')
    assert len(lines.getvalue().splitlines()) == 1


def test_a_hostile_line_costs_no_time(lines: io.StringIO) -> None:
    import time

    began = time.perf_counter()
    logs.scrub("a." * 50_000 + "@" + "b." * 50_000)
    logs.scrub("@" * 50_000)
    logs.scrub("://" + "a:" * 50_000)
    assert time.perf_counter() - began < 0.5
