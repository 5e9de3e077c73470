"""`amplify customers`: giving out and erasing from the command line."""

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.db import Base
from amplify.customers.models import Customer
from amplify.customers.services import find_or_create
from tests.world import a_brand

Amplify = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def database(environment: dict[str, str]) -> Iterator[sa.Engine]:
    """The command line's database, with one customer."""
    address = environment["AMPLIFY_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(address)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        find_or_create(session, a_brand(session), external_id="c-1", email="ana@friends.example", name="Ana")
        session.commit()
    yield engine
    engine.dispose()


def test_a_person_is_given_out_and_erased_after_a_yes(amplify: Amplify, database: sa.Engine) -> None:
    told = amplify("customers", "export", "ANA@friends.example", "--brand", "acme")
    assert json.loads(told.stdout)["customers"][0]["name"] == "Ana"
    assert amplify("customers", "erase", "c-1", "--brand", "acme").returncode == 1  # nobody said yes
    erased = amplify("customers", "erase", "c-1", "--brand", "acme", "--yes", "--json")
    assert erased.returncode == 0, erased.stderr
    with Session(database) as session:
        customer = session.scalars(sa.select(Customer)).one()
        assert json.loads(erased.stdout) == {"erased": customer.id}
        assert (customer.email, customer.name) == (None, "")


def test_nobody_or_an_unknown_brand_ends_with_one_line(amplify: Amplify, database: sa.Engine) -> None:
    for who, brand in (("nobody", "acme"), ("c-1", "other")):
        done = amplify("customers", "export", who, "--brand", brand)
        assert done.returncode == 1
        assert "Error: " in done.stderr
        assert "Traceback" not in done.stderr
