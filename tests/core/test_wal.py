"""SQLite's write-ahead log is shortened by one hand, and damage is found."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from amplify.core import wal
from amplify.core.db import wal_reset_bug


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


@pytest.fixture
def engine(file: Path) -> sa.Engine:
    made = sa.create_engine(f"sqlite:///{file}", poolclass=sa.NullPool)
    with made.begin() as connection:
        connection.execute(sa.text("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)"))
    return made


def fill(connection: sa.Connection, count: int) -> None:
    connection.execute(sa.text("INSERT INTO rows (text) VALUES (:text)"), [{"text": "x" * 1000}] * count)


def test_a_database_address_leads_to_its_file() -> None:
    assert wal.file_of("sqlite:////var/lib/a.db") == Path("/var/lib/a.db")
    assert wal.file_of("postgresql://a@b/c") is None


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_the_affected_versions_are_known(version: tuple[int, int, int], affected: bool) -> None:
    assert wal_reset_bug(version) is affected


def test_no_connection_of_an_affected_version_checkpoints_by_itself(file: Path, engine: sa.Engine) -> None:
    with engine.connect() as keeps_it_open:
        keeps_it_open.execute(sa.text("SELECT 1"))
        keeps_it_open.commit()
        for _ in range(4):  # more than SQLite's own threshold of 1,000 pages
            with engine.begin() as connection:
                fill(connection, 1500)
        assert wal.log_bytes(file) > 5_000_000 or not wal_reset_bug()
        assert wal.needs_checkpoint(wal.mark(file), wal.Mark(b"", 0)) == wal_reset_bug()


def test_a_checkpoint_moves_the_log_and_loses_nothing(file: Path, engine: sa.Engine) -> None:
    with engine.connect() as other:
        other.execute(sa.text("SELECT 1"))
        other.commit()
        with engine.begin() as connection:
            fill(connection, 5000)
        before = wal.mark(file)
        assert wal.checkpoint(file)
        assert not wal.needs_checkpoint(wal.mark(file), before)
        with engine.begin() as connection:
            fill(connection, 1)
        assert 0 < wal.mark(file).pages < before.pages
        assert other.execute(sa.text("SELECT count(*) FROM rows")).scalar() == 5001


def test_each_commit_of_anybody_moves_the_mark(file: Path, engine: sa.Engine) -> None:
    with engine.connect() as keeps_it_open:
        keeps_it_open.execute(sa.text("SELECT 1"))
        keeps_it_open.commit()
        marks = [wal.mark(file)]
        for turn in range(20):
            with engine.begin() as connection:
                fill(connection, 1)
            marks.append(wal.mark(file))
            if turn % 7 == 6:
                assert wal.checkpoint(file)
        assert len(set(marks)) == len(marks)
        assert wal.mark(file) == wal.mark(file)


def test_looking_at_the_log_lets_go_of_no_lock(file: Path, engine: sa.Engine) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO rows (text) VALUES ('x')")
        wal.mark(file)
        second = (
            "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('INSERT INTO rows DEFAULT VALUES')"
        )
        command = [sys.executable, "-c", second, str(file)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        assert "database is locked" in said.stderr
        writer.execute("COMMIT")


def test_many_writers_and_checkpoints_at_once_leave_the_file_whole(file: Path, engine: sa.Engine) -> None:
    many = (
        "import sqlite3, sys, time\n"
        "own = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n"
        "own.execute('PRAGMA wal_autocheckpoint=0')\n"
        "for n in range(1500): own.execute('INSERT INTO rows (text) VALUES (?)', ('y' * (n % 900),))"
    )
    writers = [subprocess.Popen([sys.executable, "-c", many, str(file)]) for _ in range(3)]  # noqa: S603
    rounds = 0
    with engine.connect() as keeps_it_open:
        keeps_it_open.execute(sa.text("SELECT 1"))
        keeps_it_open.commit()
        while any(writer.poll() is None for writer in writers):
            wal.mark(file)
            rounds += wal.checkpoint(file)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert rounds > 3
    assert wal.check(file) == "integrity_check"
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM rows")).scalar() == 4500


def test_the_file_of_the_log_is_written_over_until_it_is_very_large(
    file: Path, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.connect() as keeps_it_open:
        keeps_it_open.execute(sa.text("SELECT 1"))
        keeps_it_open.commit()
        with engine.begin() as connection:
            fill(connection, 500)
        size = wal.log_bytes(file)
        for _ in range(5):
            assert wal.checkpoint(file)
            with engine.begin() as connection:
                fill(connection, 100)
        assert wal.log_bytes(file) == size
        monkeypatch.setattr(wal, "KEEP_BYTES", 1_000)
        assert wal.checkpoint(file)
        assert wal.log_bytes(file) == 0


def test_a_file_without_a_log_has_an_empty_mark(file: Path) -> None:
    assert wal.mark(file) == (b"", 0)
    file.with_name(file.name + "-wal").write_bytes(b"short")
    assert wal.mark(file) == (b"", 0)


def test_a_checkpoint_gives_way_to_a_slow_reader_and_to_a_writer(file: Path, engine: sa.Engine) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM rows").fetchone()
        with engine.begin() as connection:
            fill(connection, 10)
        assert not wal.checkpoint(file, patience_seconds=0.1)
        reader.execute("COMMIT")
        with engine.begin() as connection:
            fill(connection, 10)
            assert not wal.checkpoint(file, patience_seconds=0.1)
    assert wal.checkpoint(file)


def test_a_file_that_was_closed_is_not_taken_for_a_crash(file: Path, engine: sa.Engine) -> None:
    assert not wal.was_left_open(file)
    with engine.begin() as connection:
        fill(connection, 1)
        assert wal.was_left_open(file) is (wal.log_bytes(file) > 0)


def test_a_whole_file_passes_and_a_damaged_one_does_not(file: Path, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        fill(connection, 2000)
    assert wal.check(file) == "integrity_check"
    with file.open("r+b") as raw:
        raw.seek(20 * 4096)
        raw.write(b"\x55" * 8192)
    with pytest.raises(wal.Damaged):
        wal.check(file)


def test_a_file_that_is_no_database_is_damaged(file: Path) -> None:
    file.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(wal.Damaged):
        wal.check(file)


def test_large_files_get_the_quick_check(file: Path, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "FULL_CHECK_BYTES", 10)
    assert wal.check(file) == "quick_check"
