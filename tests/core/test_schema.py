"""The migrations build exactly what the models say, on both databases, once, and all or nothing."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Engine

from amplify.core import jobs, schema
from amplify.core.db import Base
from tools.migration import import_models

import_models()


@pytest.fixture
def empty(new_database: Callable[[], str]) -> Iterator[Engine]:
    engine = sa.create_engine(new_database())
    yield engine
    engine.dispose()


@pytest.fixture
def modelled(new_database: Callable[[], str]) -> Iterator[Engine]:
    engine = sa.create_engine(new_database())
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _sorted(found: Any) -> list[str]:
    return sorted(repr(sorted(one.items(), key=lambda item: item[0])) for one in found)


def described(engine: Engine) -> dict[str, Any]:
    """Everything the database itself says about our tables."""
    inspector = sa.inspect(engine)
    names = set(inspector.get_table_names()) - jobs.table_names() - {"alembic_version"}
    told: dict[str, Any] = {}
    for name in names:
        told[name] = {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(name)],
            "key": inspector.get_pk_constraint(name),
            "foreign": _sorted(inspector.get_foreign_keys(name)),
            "unique": _sorted(inspector.get_unique_constraints(name)),
            "checks": _sorted(inspector.get_check_constraints(name)),
        }
    return told | {"indexes": _indexes(engine, names)}


def _indexes(engine: Engine, tables: set[str]) -> list[str]:
    # The inspector does not see indexes on expressions: the database's own words do.
    query = (
        "SELECT tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        if engine.dialect.name == "sqlite"
        else "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    )
    with engine.connect() as connection:
        rows = connection.execute(sa.text(query)).all()
    return sorted(re.sub(r"\s+", " ", sql) for table, sql in rows if table in tables)


def test_an_upgraded_database_is_what_the_models_say(empty: Engine, modelled: Engine) -> None:
    schema.upgrade(empty)
    assert described(empty) == described(modelled)


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_a_new_migration_would_be_empty(empty: Engine) -> None:
    schema.upgrade(empty)
    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts=schema.options())
        assert compare_metadata(context, Base.metadata) == []


def test_an_upgrade_is_complete_and_may_be_repeated(empty: Engine) -> None:
    assert not schema.is_current(empty)
    schema.upgrade(empty)
    schema.upgrade(empty)
    assert schema.is_current(empty)
    assert schema.revision(empty) == schema.head()


def test_two_upgrades_at_once_wait_for_each_other(empty: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(schema.upgrade, [empty] * 4))
    assert schema.is_current(empty)


def test_a_failed_upgrade_leaves_nothing_behind(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.execute(sa.text("CREATE TABLE pushes (id INTEGER)"))  # stands in the way
    with pytest.raises(sa.exc.DBAPIError):
        schema.upgrade(empty)
    assert sa.inspect(empty).get_table_names() == ["pushes"]


def test_the_code_can_be_asked_whether_a_database_that_is_ahead_fits(empty: Engine) -> None:
    schema.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert not schema.is_current(empty)


def test_foreign_keys_are_watched_again_after_an_upgrade(empty: Engine) -> None:
    schema.upgrade(empty)
    orphan = "INSERT INTO locations (brand_id, key, name, created_at) VALUES (77, 'x', 'x', '2026-01-01')"
    with pytest.raises(sa.exc.IntegrityError), empty.begin() as connection:
        connection.execute(sa.text(orphan))
