"""Many rows in one go: the driver's own loop on SQLite, where a statement costs little; on PostgreSQL, where each one
is a journey, a single statement that carries each column as an array."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

from amplify.core.db import is_sqlite


def upsert(
    session: Session, table: Any, names: tuple[str, ...], rows: Sequence[Sequence[Any]], *, key: str, update: str
) -> None:
    """Insert rows (values in the order of `names`); where `key` is there already, do `update` (SQL of ours) instead.

    No key may stand in `rows` twice. Goes past the unit of work: objects that are loaded keep what they hold.
    """
    if not rows:
        return
    connection = session.connection()
    statement, converters = _prepared(sa.inspect(table).local_table, names, key, update, connection.dialect)
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for place, convert in converters:
        columns[place] = [convert(value) for value in columns[place]]
    if is_sqlite(session):
        connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))
    else:
        connection.exec_driver_sql(statement, tuple(list(values) for values in columns))


@cache
def _prepared(
    table: sa.Table, names: tuple[str, ...], key: str, update: str, dialect: Dialect
) -> tuple[str, list[tuple[int, Any]]]:
    """The statement, and what has to be done to the values of which column before the driver takes them."""
    columns = [table.c[name] for name in names]
    converters = [
        (place, column.type.dialect_impl(dialect).bind_processor(dialect)) for place, column in enumerate(columns)
    ]
    if dialect.name == "sqlite":
        source = f"VALUES ({', '.join('?' * len(columns))})"
    else:
        arrays = ", ".join(f"%s::{column.type.compile(dialect)}[]" for column in columns)
        source = f"SELECT * FROM unnest({arrays})"  # noqa: S608 (our own names only)
    conflict = f"ON CONFLICT ({key}) DO UPDATE SET {update}"
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) {source} {conflict}"
    return statement, [(place, convert) for place, convert in converters if convert]
