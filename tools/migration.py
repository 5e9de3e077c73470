"""Writes a migration from the difference between the models and the migrations so far.

    python -m tools.migration "Add a colour to brands"     the next one, to be read and corrected
    python -m tools.migration --first                      while nothing is released: write 0001 anew

The comparison runs against an empty SQLite file brought up to date; types are written for both databases.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate import RevisionContext
from alembic.config import Config
from alembic.operations import ops
from alembic.runtime.environment import EnvironmentContext

from amplify.app import FEATURES
from amplify.core import partitions, paths, schema
from amplify.core.db import Base, UtcDateTime

VERSIONS = paths.MIGRATIONS / "versions"


def render(kind: str, item: Any, context: Any) -> str | Literal[False]:
    """Our own column types as the plain ones they are, so that an old migration needs no code of ours."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.JSON):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    if kind == "unique" and item.info.get(partitions.UNIQUE):
        columns = ", ".join(repr(column.name) for column in item.columns)
        return f'sa.UniqueConstraint({columns}, name=op.f({str(item.name)!r})).ddl_if(dialect="sqlite")'
    return False


def add_expression_indexes(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """SQLite cannot tell Alembic about an index on an expression, so it leaves out those of new tables too."""
    upgrade = directives[0].upgrade_ops
    created = [found.table_name for found in upgrade.ops if isinstance(found, ops.CreateTableOp)]
    for name in created:
        for index in sorted(Base.metadata.tables[name].indexes, key=lambda found: str(found.name)):
            if not all(isinstance(part, sa.Column) for part in index.expressions):
                upgrade.ops.append(ops.CreateIndexOp.from_index(index))


def write(message: str, number: str, engine: sa.Engine) -> Path:
    """Compare and write; returns the new file."""
    arguments = {
        "message": message,
        "autogenerate": True,
        "rev_id": number,
        "head": "head",
        "sql": False,
        "splice": False,
        "branch_label": None,
        "version_path": None,
        "depends_on": None,
    }
    scripts = schema.scripts()
    revision = RevisionContext(Config(), scripts, arguments, process_revision_directives=add_expression_indexes)

    def compare(current: Any, context: Any) -> Any:
        revision.run_autogenerate(current, context)
        return []

    with (
        engine.connect() as connection,
        EnvironmentContext(Config(), scripts, fn=compare) as environment,
    ):
        environment.configure(connection=connection, render_item=render, **schema.options())
        environment.run_migrations()
    written = [script for script in revision.generate_scripts() if script]
    return Path(written[0].path)


def import_models() -> None:
    """Every room's rows, also of rooms that nothing imports yet."""
    import_module("amplify.core.leases")
    for feature in FEATURES:
        if find_spec(f"amplify.{feature}.models"):  # some have no rows of their own
            import_module(f"amplify.{feature}.models")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("message", nargs="?", default="Every table of the first release.")
    parser.add_argument("--first", action="store_true", help="write 0001 anew (only while nothing is released)")
    given = parser.parse_args()
    import_models()
    if given.first:
        for old in VERSIONS.glob("0001_*.py"):
            old.unlink()
    schema.scripts.cache_clear()
    number = f"{len(list(VERSIONS.glob('[0-9]*.py'))) + 1:04}"
    with tempfile.TemporaryDirectory() as folder:
        engine = sa.create_engine(f"sqlite:///{folder}/empty.db")
        if number != "0001":
            schema.upgrade(engine)
        path = write(given.message, number, engine)
        engine.dispose()
    for step in (["format", "-q"], ["check", "--fix", "-q"], ["format", "-q"]):
        subprocess.run([sys.executable, "-m", "ruff", *step, str(path)], check=True)
    print(path)


if __name__ == "__main__":
    main()
