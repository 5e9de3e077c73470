"""`amplify clicks agents`: the operator's own list from the command line."""

import json
import subprocess
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from amplify.core.db import Base

Amplify = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def database(environment: dict[str, str]) -> None:
    """The command line's database, empty."""
    engine = sa.create_engine(environment["AMPLIFY_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(engine)
    engine.dispose()


@pytest.mark.usefixtures("database")
def test_an_entry_is_added_listed_and_removed(amplify: Amplify) -> None:
    given = ("clicks", "agents", "add", "AcmeThing/", "--kind", "bot", "--note", "seen in May", "--json")
    added = amplify(*given)
    assert json.loads(added.stdout) == {"pattern": "acmething/", "kind": "bot"}, added.stderr
    (line,) = amplify("clicks", "agents", "list", "--json").stdout.splitlines()
    assert json.loads(line) == {
        "pattern": "acmething/", "kind": "bot", "on": True, "note": "seen in May", "by": "command-line",
    }  # fmt: skip
    again = amplify(*given)
    assert (again.returncode, again.stderr) == (1, "Error: pattern: This is on the list already.\n")
    assert json.loads(amplify("clicks", "agents", "remove", "acmething/", "--json").stdout) == {"removed": "acmething/"}
    assert amplify("clicks", "agents", "list").stdout == ""
    assert amplify("clicks", "agents", "remove", "acmething/").returncode == 1
