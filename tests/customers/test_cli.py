"""`amplify customers`: giving out and erasing from the command line, on a database of its own."""

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.orm import Session

from amplify.cli.customers import command
from amplify.core.db import Base
from amplify.customers.models import Customer
from amplify.customers.services import find_or_create
from tests.world import a_brand


@pytest.fixture
def database(new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """A database with one customer, which the command line will open."""
    address = new_database()
    engine = sa.create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        find_or_create(session, a_brand(session), external_id="c-1", email="ana@friends.example", name="Ana")
        session.commit()
    monkeypatch.setenv("AMPLIFY_DATABASE_URL", address)
    monkeypatch.setenv("AMPLIFY_ENV", "test")
    return engine


def test_a_person_is_given_out_as_json(database: sa.Engine) -> None:
    done = CliRunner().invoke(command, ["export", "ANA@friends.example", "--brand", "acme"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["customers"][0]["name"] == "Ana"
    database.dispose()


def test_a_person_is_erased_after_a_yes(database: sa.Engine) -> None:
    no = CliRunner().invoke(command, ["erase", "c-1", "--brand", "acme"], input="n\n")
    assert no.exit_code == 1
    yes = CliRunner().invoke(command, ["erase", "c-1", "--brand", "acme", "--yes", "--json"])
    assert yes.exit_code == 0
    with Session(database) as session:
        customer = session.scalars(sa.select(Customer)).one()
        assert json.loads(yes.stdout) == {"erased": customer.id}
        assert (customer.email, customer.name) == (None, "")
    database.dispose()


def test_nobody_or_an_unknown_brand_ends_with_one_line(database: sa.Engine) -> None:
    for arguments in (["export", "nobody", "--brand", "acme"], ["export", "c-1", "--brand", "other"]):
        done = CliRunner().invoke(command, arguments)
        assert done.exit_code == 1
        assert done.stderr.startswith("Error: ")
        assert "Traceback" not in done.stderr
    database.dispose()
