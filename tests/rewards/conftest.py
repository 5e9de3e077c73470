"""A brand and three who share; and a database of its own for tests with real connections, shared with nobody: what
they commit stays."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session, sessionmaker

from amplify.brands.models import Brand
from amplify.core import jobs
from amplify.core.db import Base
from amplify.sharing.models import Advocate
from tests.rewards.making import make_advocates, make_brand

Sessions = Callable[[], Session]


@pytest.fixture
def brand(session: Session) -> Brand:
    return make_brand(session)


@pytest.fixture
def advocates(session: Session, brand: Brand) -> list[Advocate]:
    return make_advocates(session, brand, 3)


@pytest.fixture
def own_database(new_database: Callable[[], str], whole_app: APIFlask) -> str:
    """The address of an empty database with every table; the reactions are wired (that is what whole_app is for)."""
    address = new_database()
    engine = sa.create_engine(address)
    Base.metadata.create_all(engine)
    jobs.create_tables(engine)
    engine.dispose()
    return address


@pytest.fixture
def sessions(own_database: str) -> Iterator[Sessions]:
    """Opens sessions on that database, one connection each."""
    engine = sa.create_engine(own_database, pool_size=20)
    yield sessionmaker(engine, expire_on_commit=False)
    engine.dispose()
