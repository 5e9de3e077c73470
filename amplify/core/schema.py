"""The shape of the database: which migrations there are, which are applied, and applying them, all or none."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from amplify.core import clock, jobs, partitions, paths
from amplify.core.db import Base

# Any number, the same in every process: two upgrades at once wait for each other.
UPGRADE_LOCK = 7_261_443_092


@cache
def scripts() -> ScriptDirectory:
    """The migrations of this version of Amplify."""
    config = Config()
    config.set_main_option("script_location", str(paths.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def head() -> str:
    """The revision this code needs."""
    found = scripts().get_current_head()
    if found is None:
        raise LookupError(f"no migrations in {paths.MIGRATIONS}")
    return found


def revision(engine: Engine) -> str | None:
    """The revision the database is at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_current(engine: Engine) -> bool:
    """Whether `upgrade` has nothing to do."""
    return revision(engine) == head() and jobs.tables_are_current(engine)


def upgrade(engine: Engine) -> None:
    """Bring our tables and the job engine's to what this code needs. May be repeated, also by several at once."""
    with _alone(engine) as connection:
        _run(connection)
        partitions.make(connection, clock.now())
    with engine.begin() as connection:
        partitions.begin(connection, clock.now())
    jobs.create_tables(engine)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """One transaction in which nobody else migrates, with SQLite's foreign keys unwatched until its end.

    Changing a table on SQLite means copying and dropping it, which watched keys would refuse.
    """
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:  # on the driver's connection: inside a transaction the pragma does nothing
            _watch_keys(connection, False)
        try:
            with connection.begin():
                if not is_sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(UPGRADE_LOCK)))
                yield connection
                if is_sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise RuntimeError(f"the migration would leave rows without their parents in {broken[0]}")
        finally:
            if is_sqlite:
                _watch_keys(connection, True)


def _watch_keys(connection: Connection, on: bool) -> None:
    driver: Any = connection.connection.dbapi_connection
    driver.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


def options() -> dict[str, Any]:
    """How Alembic compares our tables with the database's."""
    return {
        "target_metadata": Base.metadata,
        "render_as_batch": True,
        "compare_type": True,
        "transactional_ddl": True,
        "include_object": _compared,
    }


def _compared(item: Any, name: str | None, kind: str, _reflected: bool, _counterpart: Any) -> bool:
    if kind == "table":  # the job engine looks after its own, and so do tables after their parts
        return name not in jobs.table_names() and not partitions.is_part(str(name))
    if kind == "unique_constraint" and name in partitions.token_names():
        return False
    if kind == "foreign_key_constraint":  # one that leads to a part is a shadow of the table's own
        return not any(partitions.is_part(key.target_fullname.partition(".")[0]) for key in item.elements)
    return kind != "index" or name not in _expression_indexes()


def _expression_indexes() -> set[str]:
    """SQLite shows only their columns, so they would look changed; tests/core/test_schema.py compares their SQL."""
    indexes = [index for table in Base.metadata.tables.values() for index in table.indexes]
    return {str(index.name) for index in indexes if not all(isinstance(part, sa.Column) for part in index.expressions)}


def _run(connection: Connection) -> None:
    def steps(current: Any, _context: MigrationContext) -> Any:
        return scripts()._upgrade_revs("head", current)

    with EnvironmentContext(Config(), scripts(), fn=steps) as environment:
        environment.configure(connection=connection, **options())
        environment.run_migrations()
