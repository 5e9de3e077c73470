"""What is measured in earnest by `python3 run.py bench` runs here in small, so that it cannot rot."""

import json
import subprocess
import sys

import pytest

from bench import client


def test_the_loop_is_measured_and_nothing_that_was_acknowledged_is_missing(pytestconfig: pytest.Config) -> None:
    kind = pytestconfig.getoption("--db")
    sizes = ["--answers", "40", "--clicks", "60", "--pushes", "10", "--db", kind]
    command = [sys.executable, "-m", "bench", "loop", *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["ok"] is True
    assert set(figures[kind]) == {
        "answers stored", "asks mailed", "clicks stored", "clicks judged, ranked", "pushes planned", "pushes delivered",
    }  # fmt: skip
    assert all(rate > 0 for rate in figures[kind].values())


def test_a_board_is_measured_and_its_ranks_are_those_of_counting(pytestconfig: pytest.Config) -> None:
    kind = pytestconfig.getoption("--db")
    sizes = ["--advocates", "500,2000", "--reads", "20", "--events", "100", "--db", kind]
    command = [sys.executable, "-m", "bench", "leaderboard", *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["ok"], figures["wrongs"]) == (True, [])
    assert figures[f"{kind}, 2,000: events/s by 500"] > 0
    assert figures[f"{kind}: rank, 2,000 / 500"] > 0


def test_the_planning_of_a_start_is_measured_against_the_raw_copy_of_its_rows(pytestconfig: pytest.Config) -> None:
    kind = pytestconfig.getoption("--db")
    command = [sys.executable, "-m", "bench", "campaign", "--advocates", "100,300", "--db", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["ok"] is True
    assert set(figures[kind]) == {"100", "300"}
    assert all(us > 0 and of_raw > 0 for us, of_raw in figures[kind].values())


def test_clicks_are_judged_again_and_the_standings_are_those_of_a_rebuild(pytestconfig: pytest.Config) -> None:
    kind = pytestconfig.getoption("--db")
    command = [sys.executable, "-m", "bench", "reclassify", "--clicks", "2000", "--db", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["ok"] is True
    assert figures[kind]["judged again"] > 0


def test_a_prepared_request_carries_its_host_and_its_length() -> None:
    raw = client.request("POST", "http://127.0.0.1:9/in/x", {"A": "b"}, b"{}")
    assert raw == b"POST /in/x HTTP/1.1\r\nHost: 127.0.0.1:9\r\nA: b\r\nContent-Length: 2\r\n\r\n{}"
