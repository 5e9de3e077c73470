"""`amplify leaderboard`, as people run it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session

from amplify.core.db import Base
from tests.leaderboards.scene import advocates_with
from tests.tracking.world import make_world


@pytest.fixture
def amplify(new_database: Callable[[], str], whole_app: APIFlask, tmp_path: Path) -> Callable[..., str]:
    """Run a command on a database with a board of two. (`whole_app` connects the floors.)"""
    address = new_database()
    engine = sa.create_engine(sa.make_url(address))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        world = make_world(session)
        advocates_with(world, 1, 2)
        session.commit()
    engine.dispose()
    environ = {**os.environ, "AMPLIFY_DATABASE_URL": address, "AMPLIFY_DATA_DIR": str(tmp_path)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "amplify", "leaderboard", *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
        return done.stdout if done.returncode == 0 else done.stderr

    return run


def test_a_board_is_shown_and_made_again(amplify: Callable[..., str]) -> None:
    before = json.loads(amplify("show", "--brand", "acme", "--json"))
    assert [(row["rank"], row["human_clicks"]) for row in before["rows"]] == [(1, 2), (2, 1)]
    assert json.loads(amplify("rebuild", "--brand", "acme", "--json")) == {"standings": 6}
    again = json.loads(amplify("show", "--brand", "acme", "--json"))
    assert [row["advocate"] for row in again["rows"]] == [row["advocate"] for row in before["rows"]]
    assert before["rows"][0]["advocate"] in amplify("show", "--brand", "acme")
    assert "There is no such brand." in amplify("show", "--brand", "nobody")
