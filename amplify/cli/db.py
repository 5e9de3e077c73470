"""`amplify db`: bring the database up to date, say where it stands, and copy it."""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import datetime
from pathlib import Path

import click
import sqlalchemy as sa

from amplify.cli.common import json_option, show
from amplify.core import clock, schema, wal
from amplify.core.settings import Settings, load


@click.group("db")
def command() -> None:
    """The database: upgrade, current, backup."""


def engine_of(settings: Settings) -> sa.Engine:
    """An engine of its own: these commands work before the application can."""
    if file := wal.file_of(settings.database):
        file.parent.mkdir(parents=True, exist_ok=True)
    return sa.create_engine(settings.database, hide_parameters=True)


@command.command()
@json_option
def upgrade(as_json: bool) -> None:
    """Bring the database to what this version needs. Changes nothing if it is there; all or nothing."""
    engine = engine_of(load())
    before = schema.revision(engine)
    schema.upgrade(engine)
    show({"before": before, "now": schema.revision(engine)}, as_json)
    engine.dispose()


@command.command()
@json_option
def current(as_json: bool) -> None:
    """Say which revision the database is at; exit code 1 if it is not the one this version needs."""
    engine = engine_of(load())
    is_current = schema.is_current(engine)
    show({"revision": schema.revision(engine), "needed": schema.head(), "current": is_current}, as_json)
    engine.dispose()
    if not is_current:
        raise SystemExit(1)


@command.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@json_option
def backup(file: Path | None, as_json: bool) -> None:
    """Copy the database into FILE while everything runs on. FILE must not exist yet.

    SQLite: a whole database file. PostgreSQL: an archive for pg_restore, made by pg_dump.
    """
    settings = load()
    source = wal.file_of(settings.database)
    target = file or _name(settings.data_dir, clock.now(), "db" if source else "dump")
    if target.exists():
        raise click.ClickException(f"{target} exists; a backup overwrites nothing")
    if source and not source.exists():
        raise click.ClickException(f"there is no database at {source}")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    try:
        _copy_sqlite(source, partial) if source else _dump(settings.database, partial)
        partial.chmod(0o600)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    show({"file": str(target), "bytes": target.stat().st_size}, as_json)


def _name(folder: Path, now: datetime, ending: str) -> Path:
    return folder / "backups" / f"amplify-{now:%Y%m%d-%H%M%S}.{ending}"


def _copy_sqlite(source: Path, target: Path) -> None:
    """SQLite's own online copy, checked before it counts as a backup."""
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.execute("PRAGMA wal_autocheckpoint=0")  # see core.wal: only one hand checkpoints
        original.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, complete in itself
    wal.check(target)


def _dump(database: str, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise click.ClickException(
            "pg_dump is not installed here; install PostgreSQL's client programs, or run it elsewhere"
        )
    url = sa.make_url(database).set(drivername="postgresql")
    # The password goes by the environment: the command line is there for everybody to see.
    environment = {"PGPASSWORD": url.password or "", "PATH": str(Path(program).parent)}
    address = url.set(password=None).render_as_string(hide_password=False)
    command = [program, "--format=custom", f"--file={target}", f"--dbname={address}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise click.ClickException(f"pg_dump: {done.stderr.strip()}")
