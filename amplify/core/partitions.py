"""Tables that PostgreSQL keeps in a part for each month: clicks, and what is said of each. SQLite has one table.

A part is a range of ids, and an id begins with its month: 2026110000000042 came in November 2026. So an id alone tells
its part, ids stay unique and in order, and a reader with a cursor opens one part (docs/decisions/0009-months.md).
The sequence moves on when a month begins and its parts are there. Until somebody does that, rows go on in the month
before, and what belongs to no month goes to a part for the rest: so no click is ever refused.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.db import Base, is_sqlite

# Ids of one month. If there should be more of them, they go on in the next month's part.
IDS = 10**10
# How many months' parts are there before they are needed.
AHEAD = 2
# Making and dropping a part needs its table alone for a moment, and clicks wait behind whoever waits for that.
PATIENCE = sa.text("SET LOCAL lock_timeout = '200ms'")
# Any number, the same in every process: one at a time moves the sequence.
MOVE_LOCK = 7_261_443_093
UNIQUE = "unique in each part"


class Cut(NamedTuple):
    """A table in parts, as PostgreSQL knows it: whoever upgrades need not have loaded any model."""

    name: str
    sequence: str | None  # that numbers its rows; None: it takes the numbers of another table
    tokens: list[str]  # its UUIDs, each unique in every part


FIND = sa.text("""
SELECT c.relname::text, pg_get_serial_sequence(quote_ident(c.relname), k.attname),
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.atttypid = 'uuid'::regtype)
FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = p.partattrs[0]
WHERE pg_table_is_visible(c.oid) ORDER BY c.relname""")


def by_month(column: str) -> dict[str, Any]:
    """For `__table_args__`: in parts by this column, which is or names an id that begins with its month."""
    return {"postgresql_partition_by": f"RANGE ({column})"}


def unique_token(column: str) -> sa.UniqueConstraint:
    """A UUID of such a table: unique on SQLite; on PostgreSQL, which cannot watch over all parts at once, in each."""
    return sa.UniqueConstraint(column, info={UNIQUE: True}).ddl_if(dialect="sqlite")


def token_names() -> set[str]:
    """The names of those constraints, which PostgreSQL does not know."""
    return {str(one.name) for table in _models() for one in table.constraints if one.info.get(UNIQUE)}


def is_part(name: str) -> bool:
    """Whether this is what a part is called, and no table of its own."""
    names = "|".join(table.name for table in _models())
    return re.fullmatch(rf"(?:{names})_(?:\d{{4}}_\d{{2}}|rest)", name) is not None


def upcoming(session: Session) -> list[datetime]:
    """Alarm: when a month's parts are to be opened; at once if that is late."""
    if is_sqlite(session):
        return []
    now, connection = clock.now(), session.connection()
    is_ready = not _missing(connection, now.date()) and not _behind(connection, now.date())
    return [datetime.combine(_month(now, 1), time(), UTC) if is_ready else now]


def open_months(session: Session, now: datetime) -> None:
    """Alarm: make the parts that are needed soon; if they are there, begin the month that it is."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        return
    connection.execute(PATIENCE)
    if not make(connection, now):
        begin(connection, now)


def make(connection: Connection, now: datetime) -> int:
    """Make the parts of this month and the next ones that are not there; how many. Nothing on SQLite.

    The sequence must not move in the same transaction: it would stay where it is if that is undone.
    """
    missing = [] if connection.dialect.name == "sqlite" else _missing(connection, now.date())
    for table, month in missing:
        _make_part(connection, table, month)
    return len(missing)


def begin(connection: Connection, now: datetime) -> None:
    """From now on ids begin with this month, whose parts are there. Ids only grow, whatever the clocks say."""
    if connection.dialect.name == "sqlite":
        return
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MOVE_LOCK)))
    forward = sa.text("SELECT setval(CAST(:name AS regclass), :first)")
    for name in _behind(connection, now.date()):
        connection.execute(forward, {"name": name, "first": first_id(now.date())})


@sa.event.listens_for(Base.metadata, "after_create")
def _made_from_models(_metadata: sa.MetaData, connection: Connection, **_kw: object) -> None:
    """Tables that were made from the models, without migrations, are ready too."""
    make(connection, clock.now())
    begin(connection, clock.now())


def first_id(month: date) -> int:
    """Ids of this month are larger."""
    return (month.year * 100 + month.month) * IDS


def drop_empty(connection: Connection, now: datetime) -> list[str]:
    """Drop the parts of months that are over and of which no row is left; their names. Gives the room back at once."""
    if connection.dialect.name == "sqlite":
        return []
    tables, dropped = _cut(connection), []
    for month in _made(connection, tables[0]):
        parts = [_part(table.name, month) for table in tables]
        if month >= _month(now, -1) or not _are_empty(connection, parts):
            continue
        connection.execute(PATIENCE)
        connection.exec_driver_sql(f"LOCK TABLE {', '.join(parts)} IN ACCESS EXCLUSIVE MODE")
        if _are_empty(connection, parts):  # nothing came while we waited
            for table, part in zip(tables, parts, strict=True):
                connection.exec_driver_sql(f"ALTER TABLE {table.name} DETACH PARTITION {part}")
                connection.exec_driver_sql(f"DROP TABLE {part}")
            dropped += parts
    return dropped


def _models() -> list[sa.Table]:
    tables = Base.metadata.tables.values()
    return [table for table in tables if table.dialect_options["postgresql"]["partition_by"]]


def _cut(connection: Connection) -> list[Cut]:
    return [Cut(*row) for row in connection.execute(FIND)]


def _month(day: date, ahead: int = 0) -> date:
    """The first day of its month, or of one so many months later."""
    months = day.year * 12 + day.month - 1 + ahead
    return date(months // 12, months % 12 + 1, 1)


def _part(name: str, month: date | None) -> str:
    return f"{name}_{month:%Y_%m}" if month else f"{name}_rest"


def _missing(connection: Connection, today: date) -> list[tuple[Cut, date | None]]:
    months = [None, *(_month(today, ahead) for ahead in range(AHEAD + 1))]
    wanted = {_part(table.name, month): (table, month) for table in _cut(connection) for month in months}
    found = sa.text("SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass(name) IS NOT NULL")
    there = set(connection.scalars(found, {"names": list(wanted)}))
    return [one for name, one in wanted.items() if name not in there]


def _make_part(connection: Connection, table: Cut, month: date | None) -> None:
    part = _part(table.name, month)
    ids = f"FOR VALUES FROM ({first_id(month)}) TO ({first_id(_month(month, 1))})" if month else "DEFAULT"
    connection.exec_driver_sql(f"CREATE TABLE {part} PARTITION OF {table.name} {ids}")
    for token in table.tokens:
        connection.exec_driver_sql(f"CREATE UNIQUE INDEX uq_{part}_{token} ON {part} ({token})")


def _made(connection: Connection, table: Cut) -> list[date]:
    """The months that have parts."""
    parts = sa.text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table)")
    names = (re.search(r"_(\d{4})_(\d{2})$", name) for name in connection.scalars(parts, {"table": table.name}))
    return sorted(date(int(found[1]), int(found[2]), 1) for found in names if found)


def _are_empty(connection: Connection, parts: Sequence[str]) -> bool:
    rows = " UNION ALL ".join(f"SELECT 1 FROM {part}" for part in parts)  # noqa: S608  our own names only
    return not connection.exec_driver_sql(f"SELECT EXISTS ({rows})").scalar_one()


def _behind(connection: Connection, today: date) -> list[str]:
    """The sequences that are still in a month before."""
    sequences = [table.sequence for table in _cut(connection) if table.sequence]
    last = sa.text("SELECT coalesce(pg_sequence_last_value(CAST(:name AS regclass)), 0)")
    return [name for name in sequences if connection.execute(last, {"name": name}).scalar_one() < first_id(today)]
