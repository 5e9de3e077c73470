"""Questions asked so often, or about so many rows, that SQLAlchemy's own way from a statement to rows takes longer than
the database: compiled once, and then sent straight to the driver."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

Rows = list[tuple[Any, ...]]


def ask(session: Session, sql: str, values: Any) -> Rows:
    """What the driver answers to its own kind of statement, in the session's transaction, as it gives it."""
    if session.autoflush:
        session.flush()
    connection = session.connection()
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql, values)
        return cursor.fetchall()  # type: ignore[return-value]  # SQLAlchemy lets it be any kind of sequence
    except connection.dialect.loaded_dbapi.Error:
        # Asked once more by SQLAlchemy, which knows what each error means for the connection.
        return [tuple(row) for row in connection.exec_driver_sql(sql, values)]
    finally:
        cursor.close()


class _Compiled(NamedTuple):
    sql: str
    # What the statement itself says about its parameters, and their order; None: they go by name.
    given: Mapping[str, Any]
    # What makes of a parameter's value one that the driver takes, for those that need it.
    binders: list[tuple[str, Any]]
    order: tuple[str, ...] | None
    # What makes of a column's values those that we know, for the columns that need it.
    converters: list[tuple[int, Any]]


class Prepared:
    """A SELECT with named parameters, whose values are such as their types say (or what `bulk.told` gives)."""

    def __init__(self, statement: sa.Select[Any]) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, session: Session, values: Mapping[str, Any]) -> Rows:
        """Its rows, as plain tuples."""
        dialect = session.get_bind().dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compile(self._statement, dialect)
        all_values = {**compiled.given, **values}
        for name, bind in compiled.binders:
            all_values[name] = bind(all_values[name])
        found = ask(session, compiled.sql, _in_order(all_values, compiled.order))
        if not found or not compiled.converters:
            return found
        columns: list[Any] = list(zip(*found, strict=True))
        for place, convert in compiled.converters:
            columns[place] = map(convert, columns[place])
        return list(zip(*columns, strict=True))


def _in_order(values: dict[str, Any], order: tuple[str, ...] | None) -> Any:
    return values if order is None else [values[name] for name in order]


def _compile(statement: sa.Select[Any], dialect: Dialect) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect)
    converters = [(place, _converter(column.type, dialect)) for place, column in enumerate(statement.selected_columns)]
    binders = [
        (name, parameter.type.dialect_impl(dialect).bind_processor(dialect))
        for name, parameter in compiled.binds.items()
    ]
    order = tuple(compiled.positiontup) if compiled.positional else None
    needed = filter(itemgetter(1), binders), filter(itemgetter(1), converters)
    return _Compiled(str(compiled), dict(compiled.params), list(needed[0]), order, list(needed[1]))


def _converter(kind: sa.types.TypeEngine[Any], dialect: Dialect) -> Any:
    if isinstance(kind, sa.Float | sa.Numeric):
        return None  # the driver's own numbers
    return kind.dialect_impl(dialect).result_processor(dialect, None)
