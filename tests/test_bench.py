"""What is measured in earnest by `python3 run.py bench` runs here in small, so that it cannot rot."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from bench import client


@pytest.fixture
def kind(pytestconfig: pytest.Config) -> str:
    return str(pytestconfig.getoption("--db"))


def measured(*arguments: str) -> Any:
    """The figures of one bench. It starts servers of its own: all of them end with it, also when it takes too long."""
    command = [sys.executable, "-m", "bench", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as bench:  # noqa: S603
        try:
            said, complained = bench.communicate(timeout=240)
        except BaseException:
            os.killpg(bench.pid, signal.SIGKILL)
            raise
    assert bench.returncode == 0, said + complained
    return json.loads(said.splitlines()[-1])


def test_the_loop_is_measured_and_nothing_that_was_acknowledged_is_missing(kind: str) -> None:
    sizes = ["--answers", "40", "--clicks", "60", "--pushes", "10", "--db", kind]
    figures = measured("loop", *sizes)
    assert figures["ok"] is True
    assert set(figures[kind]) == {
        "answers stored", "asks mailed", "clicks stored", "clicks judged, ranked", "pushes planned", "pushes delivered",
    }  # fmt: skip
    assert all(rate > 0 for rate in figures[kind].values())


def test_mails_are_measured_and_each_arrives_once(kind: str) -> None:
    figures = measured("delivery", "--mails", "120", "--workers", "1", "--idle", "1", "--db", kind)
    assert (figures["ok"], figures["wrongs"]) == (True, [])
    assert figures[f"ours, {kind}"] > 0


def test_a_board_is_measured_and_its_ranks_are_those_of_counting(kind: str) -> None:
    sizes = ["--advocates", "500,2000", "--reads", "20", "--events", "100", "--db", kind]
    figures = measured("leaderboard", *sizes)
    assert (figures["ok"], figures["wrongs"]) == (True, [])
    assert figures[f"{kind}, 2,000: events/s by 500"] > 0
    assert figures[f"{kind}: rank, 2,000 / 500"] > 0


def test_boards_are_made_again_from_a_ledger(kind: str) -> None:
    figures = measured("rebuild", "--advocates", "300", "--entries", "1000", "--db", kind)
    assert figures["ok"] is True
    # Everybody stands on the brand's board and on the campaign's.
    assert figures[kind]["made"] == 600


def test_the_planning_of_a_start_is_measured_against_the_raw_copy_of_its_rows(kind: str) -> None:
    figures = measured("campaign", "--advocates", "100,300", "--db", kind)
    assert figures["ok"] is True
    assert set(figures[kind]) == {"100", "300"}
    assert all(us > 0 and of_raw > 0 for us, of_raw in figures[kind].values())


def test_clicks_that_are_kept_no_longer_leave_and_the_roll_ups_say_how_many(kind: str) -> None:
    figures = measured("retention", "--clicks", "3000", "--db", kind)
    assert figures["ok"] is True
    assert figures[kind] > 0


def test_clicks_are_judged_again_and_the_standings_are_those_of_a_rebuild(kind: str) -> None:
    figures = measured("reclassify", "--clicks", "2000", "--db", kind)
    assert figures["ok"] is True
    assert figures[kind]["judged again"] > 0


def test_a_farm_is_sent_to_the_top_the_middle_and_the_end_of_a_board() -> None:
    figures = measured("farm", "--advocates", "60", "--keys", "200", "--seeds", "1")
    assert figures["farms"] == 6
    assert figures["up"] < 0.1


def test_a_prepared_request_carries_its_host_and_its_length() -> None:
    raw = client.request("POST", "http://127.0.0.1:9/in/x", {"A": "b"}, b"{}")
    assert raw == b"POST /in/x HTTP/1.1\r\nHost: 127.0.0.1:9\r\nA: b\r\nContent-Length: 2\r\n\r\n{}"
