"""The sum at the end of `python3 run.py test` tells the truth, whatever a stage came to."""

import sys

import pytest

from tools import check


def stage(name: str, code: int, closing: str | None = None) -> check.Stage:
    return check.Stage(name, code, 1.0, closing)


@pytest.mark.parametrize(
    "line",
    [
        "===== 12 passed in 0.50s =====",
        "=== 1 failed, 11 passed, 2 warnings, 1 error in 75.10s (0:01:15) ===",
        "12 passed in 0.50s",
    ],
)
def test_pytests_closing_line_is_recognised(line: str) -> None:
    assert check.CLOSING.match(line)


@pytest.mark.parametrize("line", ["no tests ran in 0.01s", "collected 12 items", "FAILED tests/x.py - 3 passed in"])
def test_other_lines_are_not(line: str) -> None:
    assert not check.CLOSING.match(line)


def test_tests_count_once_per_database_and_checks_once() -> None:
    done = [stage("mypy", 0), stage("a", 0, "= 12 passed in 1.0s ="), stage("b", 0, "= 11 passed, 1 skipped in 1.0s =")]
    assert check.count(done) == {"passed": 24, "skipped": 1}


def test_failures_and_errors_are_summed() -> None:
    done = [stage("mypy", 1), stage("pytest", 1, "= 1 failed, 9 passed, 2 errors in 1.0s =")]
    assert check.count(done) == {"passed": 9, "failed": 4}


@pytest.mark.parametrize("closing", [None, "= 3 passed in 1.0s ="], ids=["it never closed", "it closed well"])
def test_a_test_stage_that_died_counts_as_a_failure(closing: str | None) -> None:
    assert check.count([stage("pytest", 2, closing)])["failed"] == 1


def test_each_database_has_its_stage_unless_one_is_asked_for() -> None:
    assert [name for name, _ in check.stages([])][-2:] == ["pytest on sqlite", "pytest on postgresql"]
    assert [name for name, _ in check.stages(["--db", "sqlite"])][-1:] == ["pytest"]
    assert [name for name, _ in check.stages(["--db=sqlite"])][-1:] == ["pytest"]


def test_files_are_shared_out_unless_somebody_says_otherwise() -> None:
    command = check.stages(["--db", "sqlite", "-n", "0"])[-1][1]
    assert [command[place + 1] for place, word in enumerate(command) if word == "-n"] == [check.AT_ONCE[1], "0"]


def test_a_stage_is_shown_as_it_runs_and_its_closing_line_kept(capfd: pytest.CaptureFixture[str]) -> None:
    code = "print('hello'); print('== 2 passed in 0.10s =='); raise SystemExit(4)"
    done = check.run("made up", [sys.executable, "-c", code])
    assert (done.code, done.closing) == (4, "== 2 passed in 0.10s ==")
    assert "--- made up ---" in capfd.readouterr().out
