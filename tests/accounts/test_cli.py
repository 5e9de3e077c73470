"""Brands, people and keys from the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from amplify.cli import brands, keys, users
from amplify.core.db import Base


@pytest.fixture
def installation(new_database: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty installation of its own, named by the environment as in life."""
    address = new_database()
    for name, value in {"ENV": "test", "DATABASE_URL": address, "DATA_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"AMPLIFY_{name}", value)
    engine = sa.create_engine(address)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def run(command: Any, *arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=typed)


@pytest.mark.usefixtures("installation")
def test_a_brand_gets_people_and_keys() -> None:
    made = run(brands.command, "create", "acme", "--name", "Acme", "--host", "shop.example", "--json")
    assert json.loads(made.output)["brand"] == "acme"
    ana = ("create", "--brand", "acme", "--email", "ana@acme.example")
    user = json.loads(run(users.command, *ana, "--role", "admin", "--json").output)
    assert len(user["password"]) >= 12
    scoped = ("--brand", "acme", "--name", "x", "--scope", "responses:write", "--json")
    api = json.loads(run(keys.command, "create", "api", *scoped).output)
    assert api["key"].count(".") == 1
    signing = json.loads(run(keys.command, "create", "signing", "--brand", "acme", "--key", "shop", "--json").output)
    assert signing["secret"].startswith("whsec_")


def test_no_secret_stands_in_the_database(installation: sa.Engine) -> None:
    run(brands.command, "create", "acme", "--name", "Acme")
    shown = run(keys.command, "create", "api", "--brand", "acme", "--name", "x", "--scope", "responses:read", "--json")
    secret = json.loads(shown.output)["key"].split(".")[1]
    made = run(users.command, "create", "--brand", "acme", "--email", "ana@acme.example", "--json")
    password = json.loads(made.output)["password"]
    with installation.connect() as connection:
        for table in Base.metadata.sorted_tables:
            stored = repr(connection.execute(sa.select(table)).all())
            assert secret not in stored
            assert password not in stored


@pytest.mark.usefixtures("installation")
def test_a_typed_password_is_not_shown() -> None:
    run(brands.command, "create", "acme", "--name", "Acme")
    typed = "a long enough sentence\n"
    made = run(
        users.command, "create", "--brand", "acme", "--email", "ana@acme.example", "--ask-password", typed=typed * 2
    )
    assert made.exit_code == 0
    assert "sentence" not in made.output


@pytest.mark.usefixtures("installation")
def test_what_a_rule_refuses_ends_with_one_line() -> None:
    nobody = run(users.command, "create", "--brand", "nobody", "--email", "ana@acme.example")
    assert (nobody.exit_code, nobody.output) == (1, "Error: brand: There is no such brand.\n")
    run(brands.command, "create", "acme", "--name", "Acme")
    assert run(brands.command, "create", "acme", "--name", "Acme").exit_code == 1
    wrong = run(keys.command, "create", "api", "--brand", "acme", "--name", "x", "--scope", "everything")
    assert wrong.output.startswith("Error: scopes:")
    assert "acme" in run(brands.command, "list").output
