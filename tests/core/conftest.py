"""A SQLite file for tests of how it is shared."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "a.db"
    with closing(sqlite3.connect(made, isolation_level=None)) as keeps_it_open:
        keeps_it_open.execute("PRAGMA journal_mode=WAL")
        keeps_it_open.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY)")
        yield made
