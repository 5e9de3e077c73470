"""Two at once, on real connections that commit: the same post is one answer, the same file is imported once."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from apiflask import APIFlask

from amplify.app import create_app
from amplify.brands.models import Brand, BusinessLine
from amplify.core import jobs
from amplify.core.db import Base, db
from amplify.core.settings import Settings
from amplify.customers.models import Customer
from amplify.surveys import import_job, importing, mapping
from amplify.surveys.models import ImportRun, Response
from tests.world import a_brand, a_key

AT_ONCE = 8


@pytest.fixture(scope="module")
def real_app(new_database: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    """An application on a database of its own, in which commits are commits."""
    address = new_database()
    data = tmp_path_factory.mktemp("at-once")
    app = create_app(Settings(env="test", database_url=address, data_dir=data, base_url="http://localhost"))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        jobs.create_tables(db.engine)
        a_brand(db.session)
        db.session.commit()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def key(real_app: APIFlask) -> dict[str, str]:
    with real_app.app_context():
        made = a_key(db.session, db.session.scalars(sa.select(Brand)).one(), "responses:write")
        db.session.commit()
    return made


def _together(work: Callable[[int], Any]) -> list[Any]:
    """Do the work in several threads that begin at the same moment."""
    gate = Barrier(AT_ONCE)

    def one(number: int) -> Any:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def _n(app: APIFlask, model: Any, **where: Any) -> int:
    with app.app_context():
        counted = sa.select(sa.func.count()).select_from(model).filter_by(**where)
        return db.session.scalar(counted) or 0


def _post(app: APIFlask, key: dict[str, str], said: dict[str, Any]) -> int:
    body = json.dumps(said)
    return (
        app.test_client()
        .post("/api/v1/responses", data=body, headers={**key, "Content-Type": "application/json"})
        .status_code
    )


def test_the_same_post_at_once_is_stored_once(real_app: APIFlask, key: dict[str, str]) -> None:
    said = {
        "external_id": "same",
        "given": 9,
        "business_line": "New line",
        "customer": {"email": "new@shop.example"},
    }
    codes = _together(lambda _number: _post(real_app, key, said))
    assert sorted(codes) == [200] * (AT_ONCE - 1) + [201]
    assert _n(real_app, Response, external_id="same") == 1
    assert _n(real_app, Customer, email_normal="new@shop.example") == 1
    assert _n(real_app, BusinessLine, key="new-line") == 1


def test_different_contents_at_once_are_one_answer_and_conflicts(real_app: APIFlask, key: dict[str, str]) -> None:
    codes = _together(lambda number: _post(real_app, key, {"external_id": "torn", "given": number}))
    assert sorted(codes) == [201] + [409] * (AT_ONCE - 1)
    assert _n(real_app, Response, external_id="torn") == 1


def test_revisions_at_once_leave_exactly_one_in_force(real_app: APIFlask, key: dict[str, str]) -> None:
    def post(number: int) -> int:
        return _post(real_app, key, {"external_id": "edited", "given": number, "revision": number + 1})

    _together(post)
    with real_app.app_context():
        mine = sa.select(Response).where(Response.external_id == "edited", Response.superseded_at.is_(None))
        (in_force,) = db.session.scalars(mine)
        assert in_force.revision == AT_ONCE


def test_different_answers_of_one_new_line_at_once_make_one_line(real_app: APIFlask, key: dict[str, str]) -> None:
    codes = _together(
        lambda number: _post(real_app, key, {"external_id": f"r{number}", "given": 9, "business_line": "Brand new"})
    )
    assert codes == [201] * AT_ONCE
    assert _n(real_app, BusinessLine, key="brand-new") == 1


def test_two_workers_on_one_run_store_every_row_once(real_app: APIFlask, tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    path.write_text("Score,Place\n" + "".join(f"{n % 11},Place {n % 7}\n" for n in range(12_000)))
    with real_app.app_context():
        brand = db.session.scalars(sa.select(Brand)).one()
        chosen = mapping.load('name = "at-once"\n[fields]\ngiven = "Score"\nlocation = "Place"\n')
        run = importing.new_run(db.session, brand, path, path.name, importing.sha256_of(path), "cli:test")
        importing.begin_unchecked(db.session, run, chosen, "cli:test")
        db.session.commit()
        run_id = run.id

    def work(_number: int) -> None:
        with real_app.app_context():
            import_job.run(run_id)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    with real_app.app_context():
        run = db.session.get_one(ImportRun, run_id)
        assert (run.state, run.lines_done, run.stored, run.known) == ("done", 12_000, 12_000, 0)
    assert _n(real_app, Response, source="import:at-once") == 12_000
