"""The redirect's measurement and its kill test in their shortest form, so that neither can rot."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench import redirect
from tests.faults import web
from tests.faults.worker import Plan


def test_the_measurement_runs_and_finds_every_acknowledged_click(request: pytest.FixtureRequest) -> None:
    kind = request.config.getoption("--db")
    small = ["--parts", "basic", "--rounds", "1", "--connections", "8", "--databases", kind]
    found = redirect.main(small)
    assert found["ok"]
    assert found["wrongs"] == []
    assert found[f"{kind} / bare Flask hello"] > 0


def test_an_acknowledged_click_survives_kill_9(
    request: pytest.FixtureRequest, new_database: Callable[[], str], tmp_path: Path
) -> None:
    plan = Plan(request.config.getoption("--db"), new_database, tmp_path, kills=1)
    row = web.kills(plan, plan.kills)
    assert (row.wrongs, row.kills) == ([], 1)
