"""Many rows in one go: the driver's own loop on SQLite, where a statement costs little; on PostgreSQL, where each one
is a journey, a single statement that carries each column as an array."""

import gc
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import repeat
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

from amplify.core.db import is_sqlite, keep_more_pages

# New containers before Python looks for circles among them: a round holds as many rows at once, and none is in one.
CONTAINERS = 100_000


def expect_many_rows() -> None:
    """For a worker, before it begins: without it a third of a round goes into walking over its own rows."""
    keep_more_pages()
    gc.collect()
    gc.freeze()
    gc.set_threshold(CONTAINERS, 10, 10)


def insert_ignore(session: Session, table: Any, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose unique keys are not there yet; how many were new. All rows name the same columns."""
    if not rows:
        return 0
    session.flush()  # what the rows refer to
    stored = sa.inspect(table).local_table
    given = tuple(rows[0])
    made = {name: make for name, make in _defaults(stored).items() if name not in given}
    values = [(*(row[name] for name in given), *(make() for make in made.values())) for row in rows]
    return _store(session, stored, (*given, *made), values, "DO NOTHING")


def upsert(
    session: Session, table: Any, names: tuple[str, ...], rows: Sequence[Sequence[Any]], *, key: str, update: str
) -> None:
    """Insert rows (values in the order of `names`); where `key` is there already, do `update` (SQL of ours) instead.

    No key may stand in `rows` twice. Goes past the unit of work: objects that are loaded keep what they hold.
    """
    if rows:
        _store(session, sa.inspect(table).local_table, names, rows, f"({key}) DO UPDATE SET {update}")


def _store(
    session: Session, table: sa.Table, names: tuple[str, ...], rows: Sequence[Sequence[Any]], conflict: str
) -> int:
    """How many rows were stored or changed."""
    connection = session.connection()
    statement, writers = _prepared(table, names, conflict, connection.dialect)
    columns = [write(values) for write, values in zip(writers, zip(*rows, strict=True), strict=True)]
    values = list(zip(*columns, strict=True)) if is_sqlite(session) else tuple(columns)
    return connection.exec_driver_sql(statement, values).rowcount


def insert_many(session: Session, model: Any, shared: dict[str, Any], columns: dict[str, Sequence[Any]]) -> None:
    """Insert many rows as fast as the driver can: `shared` values are the same in each, `columns` are of equal length.

    COPY on PostgreSQL, executemany on SQLite. Raises the driver's own error for a row that does not fit.
    """
    table, dialect = sa.inspect(model).local_table, session.get_bind().dialect
    count = len(next(iter(columns.values())))
    read = {name: table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in (*shared, *columns)}
    same = {name: read[name](value) if read[name] else value for name, value in shared.items()}
    own = [map(read[name], values) if read[name] else values for name, values in columns.items()]
    names = ", ".join((*shared, *columns))
    cursor = session.connection().connection.cursor()
    if is_sqlite(session):
        # What all have in common is said once: to hand it over again with each row takes as long as to store it. Not
        # fractions: SQLite reads fifteen digits of a text (sqlite.org/floatingpoint.html).
        said = ("?" if isinstance(value, float) else _written(value) for value in same.values())
        values = ", ".join([*said, *("?" * len(columns))])
        bound = [repeat(value, count) for value in same.values() if isinstance(value, float)]
        rows = list(zip(*bound, *own, strict=True))
        cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({values})", rows)  # noqa: S608
        return
    with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in zip(*(repeat(value, count) for value in same.values()), *own, strict=True):
            copy.write_row(row)


def _written(value: Any) -> str:
    """A value as SQLite reads it in a statement (sqlite.org/lang_expr.html, Literal Values)."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(int(value))  # a truth is 1 or 0
    if isinstance(value, bytes | memoryview):
        return f"X'{value.hex()}'"
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"cannot be written into a statement: {type(value).__name__}")
    return "'{}'".format(value.replace("'", "''"))


def is_among(session: Session, column: Any, values: Collection[int] | Collection[str]) -> sa.ColumnElement[bool]:
    """`column IN values` for thousands of numbers or texts: they travel as one parameter."""
    on_sqlite = is_sqlite(session)
    return _is_in(column, sa.literal(told(session, values), _list_type(column, on_sqlite)), on_sqlite)


def is_one_of(column: Any, name: str, *, on_sqlite: bool) -> sa.ColumnElement[bool]:
    """The same for a statement that is made once, whose parameter of this name takes what `told` gives."""
    return _is_in(column, sa.bindparam(name, type_=_list_type(column, on_sqlite)), on_sqlite)


def _list_type(column: Any, on_sqlite: bool) -> sa.types.TypeEngine[Any]:
    """Said, not guessed: PostgreSQL plans badly for numbers that it must make wider first."""
    return sa.String() if on_sqlite else ARRAY(column.type)


def _is_in(column: Any, given: sa.BindParameter[Any], on_sqlite: bool) -> sa.ColumnElement[bool]:
    if on_sqlite:
        listed = sa.func.json_each(given).table_valued("value")
        return sa.type_coerce(column.in_(sa.select(listed.c.value)), sa.Boolean)
    return sa.type_coerce(column == sa.any_(given), sa.Boolean)


def told(session: Session, values: Collection[int] | Collection[str]) -> Any:
    """Values as one parameter of `is_one_of`."""
    return json.dumps(list(values)) if is_sqlite(session) else list(values)


def next_ids(session: Session, model: Any, count: int) -> list[int]:
    """Ids for rows about to be inserted in this transaction, ascending; nobody else gets them."""
    table = sa.inspect(model).local_table
    if is_sqlite(session):  # the writer's lock is ours until the commit
        highest = int(session.scalar(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0))) or 0)
        return list(range(highest + 1, highest + count + 1))
    drawn = sa.select(sa.func.nextval(sa.func.pg_get_serial_sequence(table.name, "id")))
    return sorted(session.scalars(drawn.select_from(sa.func.generate_series(1, count).alias())))


@cache
def _defaults(table: sa.Table) -> dict[str, Callable[[], Any]]:
    """What makes the values that a row may leave out, by column."""
    found = {column.name: column.default for column in table.columns if column.default is not None}
    return {name: _maker(default) for name, default in found.items()}


def _maker(default: Any) -> Callable[[], Any]:
    return partial(default.arg, None) if default.is_callable else lambda: default.arg


@cache
def _prepared(
    table: sa.Table, names: tuple[str, ...], conflict: str, dialect: Dialect
) -> tuple[str, list[Callable[[Sequence[Any]], Any]]]:
    """The statement, and what makes of each column's values what the driver takes."""
    columns = [table.c[name] for name in names]
    if dialect.name == "sqlite":
        source = f"VALUES ({', '.join('?' * len(columns))})"
    else:
        arrays = ", ".join(f"%s::{column.type.compile(dialect)}[]" for column in columns)
        source = f"SELECT * FROM unnest({arrays})"  # noqa: S608 (our own names only)
    written = ", ".join(map(dialect.identifier_preparer.quote, names))
    statement = f"INSERT INTO {table.name} ({written}) {source} ON CONFLICT {conflict}"
    return statement, [_writer(column.type, dialect) for column in columns]


def _writer(kind: sa.types.TypeEngine[Any], dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
    """Of a column's values: the same as the driver takes them on SQLite; one array, written out, on PostgreSQL. (The
    driver would write the array itself, value by value: that took longer than the database needs for the rows.)"""
    is_bytes = isinstance(kind, sa.LargeBinary)
    # Bytes go as they are: the dialects would wrap each of them.
    convert: Callable[[Any], Any] | None = None if is_bytes else kind.dialect_impl(dialect).bind_processor(dialect)
    if dialect.name == "sqlite":
        return partial(_each, convert) if convert else list
    if isinstance(kind, sa.JSON):
        convert = json.dumps  # the dialect would make objects that only the driver can write
    if isinstance(kind, sa.Integer | sa.Float | sa.Boolean):
        return lambda values: "{" + ",".join(map(repr, values)).replace("None", "NULL") + "}"
    text: Callable[[Any], str] = _hexadecimal if is_bytes else _quoted
    given: Callable[[Sequence[Any]], Iterable[Any]] = partial(map, convert) if convert else iter
    return lambda values: "{" + ",".join("NULL" if one is None else text(one) for one in given(values)) + "}"


def _each(convert: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    return list(map(convert, values))


def _hexadecimal(value: bytes) -> str:
    return f'"\\\\x{value.hex()}"'


def _quoted(value: object) -> str:
    """Texts and instants, as elements of an array."""
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
