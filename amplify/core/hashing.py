"""SHA-256 as a function of the database, so that sets are matched by hash without their rows coming here."""

import hashlib
import sqlite3
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class sha256_hex(GenericFunction[str]):
    """Of a text in UTF-8, in small hex digits: what `core.tokens.digest` gives."""

    type = sa.String(64)
    inherit_cache = True


@compiles(sha256_hex, "postgresql")
def _on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    # In the order of bytes, so that hashes compare alike on both databases.
    return f"(encode(sha256(convert_to({compiler.process(element.clauses, **options)}, 'UTF8')), 'hex') COLLATE \"C\")"


@sa.event.listens_for(Engine, "connect")
def _on_sqlite(connection: Any, record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("sha256_hex", 1, _hex, deterministic=True)


def _hex(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()
