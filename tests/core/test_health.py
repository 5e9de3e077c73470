"""What machines ask: alive, ready, and how much of what."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from amplify.app import create_app
from amplify.core import leases, schema
from amplify.core.db import db
from amplify.core.settings import Settings


def test_a_process_that_answers_is_alive(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"ok": True})
    assert answer.headers["Cache-Control"] == "no-store"


AppOn = Callable[..., FlaskClient]


@pytest.fixture
def app_on(tmp_path: Path) -> Iterator[AppOn]:
    """A client of an application on this database, with these settings."""
    made = []

    def make(database: str, **more: Any) -> FlaskClient:
        kept = {"env": "test", "database_url": database, "data_dir": tmp_path, "base_url": "http://localhost"}
        app = create_app(Settings(**{**kept, **more}))
        made.append(app)
        return app.test_client()

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def current(new_database: Callable[[], str]) -> str:
    """A database that is up to date."""
    database = new_database()
    engine = sa.create_engine(database)
    schema.upgrade(engine)
    engine.dispose()
    return database


def test_a_database_without_its_tables_is_not_ready(new_database: Callable[[], str], app_on: AppOn) -> None:
    answer = app_on(new_database()).get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["migrations"] == "run: amplify db upgrade"


def test_a_database_that_is_current_is_ready(current: str, app_on: AppOn) -> None:
    engine = sa.create_engine(current)
    with Session(engine) as session:
        leases.take(session, "worker:a", "a", 60)
        session.commit()
    engine.dispose()
    answer = app_on(current).get("/readyz")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["workers"] == 1
    if current.startswith("sqlite"):
        assert answer.json["sqlite"]["checkpoints_by"] in ("worker", "sqlite")


def test_a_database_that_is_away_is_not_ready(app_on: AppOn) -> None:
    answer = app_on("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1").get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"ok": False, "database": "away"})


def test_metrics_count_answers_by_endpoint_and_never_by_address(client: FlaskClient) -> None:
    client.get("/healthz")
    client.get("/secret-code-in-an-address")
    text = client.get("/metrics").get_data(as_text=True)
    assert 'amplify_http_requests_total{endpoint="health.healthz",method="GET",status="200"}' in text
    assert 'amplify_jobs{state="parked"} 0.0' in text
    assert "secret-code" not in text


@pytest.mark.parametrize(
    ("header", "status"), [("Bearer right", 200), ("Bearer wrong", 401), ("Basic cmlnaHQ=", 401), ("", 401)]
)
def test_metrics_with_a_token_want_it(current: str, app_on: AppOn, header: str, status: int) -> None:
    client = app_on(current, metrics_token="right")
    assert client.get("/metrics", headers={"Authorization": header} if header else {}).status_code == status


def test_production_without_a_token_has_no_metrics(current: str, app_on: AppOn) -> None:
    production = {
        "env": "production",
        "base_url": "https://share.example.org",
        "secret_key": "k" * 43,
        "mail": "smtp",
        "mail_from": "a@example.org",
    }
    answer = app_on(current, **production).get("/metrics", headers={"Host": "share.example.org"})
    assert answer.status_code == 404
