"""A file that names somebody who was erased: it goes, so do the cells noted of it, and it brings nobody back."""

import io
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from amplify.brands.models import Brand
from amplify.core import clock, jobs
from amplify.core.errors import Gone
from amplify.core.settings import Settings
from amplify.customers.models import Customer
from amplify.customers.services import erase
from amplify.surveys import import_job, importing, mapping, queries, uploads
from amplify.surveys.models import ImportRun, Response
from amplify.surveys.words import why, why_failed
from tests.world import a_brand

CANARIES = ("canary@bird.example", "Canary Yellow", "c-canary-7", "I sing like a canary")
HEADER = "Score,Words,Mail,Name,Customer\n"
ROW = "{score},I sing like a canary,canary@bird.example,Canary Yellow,c-canary-7\n"
# The last three are rows that are not taken: their cells are noted.
CONTENT = (
    HEADER
    + ROW.format(score=9)
    + ROW.format(score="Canary Yellow")
    + "9,fine,canary@bird.example and more,Ben,c-8\n"
    + f"8,fine,ben@bird.example,{'Canary Yellow ' * 30},c-9\n"
)
MAPPING = """
name = "birds"
[fields]
given = "Score"
comment = "Words"
customer_email = "Mail"
customer_name = "Name"
customer_id = "Customer"
"""


@pytest.fixture(autouse=True)
def _no_other_uploads(app: object, settings: Settings) -> Iterator[None]:
    yield
    for file in (settings.data_dir / "imports").glob("*"):
        file.unlink()


def an_upload(session: Session, brand: Brand, content: str = CONTENT, state: str = "uploaded") -> ImportRun:
    """A file that came in by the console, up to this state."""
    path, sha256 = uploads.keep(FileStorage(io.BytesIO(content.encode()), "birds.csv"))
    run = importing.new_run(session, brand, path, "birds.csv", sha256, "user:1")
    if state != "uploaded":
        uploads.begin_check(session, run, mapping.load(MAPPING))
    if state in ("checked", "running", "done"):
        jobs.drain(session)
    if state in ("running", "done"):
        uploads.begin(session, run, "user:1")
    if state == "done":
        jobs.drain(session)
    session.commit()
    session.refresh(run)
    assert run.state == state
    return run


def the_canary(session: Session, brand: Brand) -> Customer:
    mine = sa.select(Customer).where(Customer.brand_id == brand.id, Customer.external_id == "c-canary-7")
    return session.scalars(mine).one()


def held(session: Session, data_dir: Path) -> str:
    """Every table that the database has, the job engine's too, and every file of the data folder, as text."""
    connection = session.connection()
    inspector = sa.inspect(connection)
    schemas = [None] if connection.dialect.name == "sqlite" else inspector.get_schema_names()
    tables = [sa.table(name, schema=schema) for schema in schemas for name in inspector.get_table_names(schema=schema)]
    rows = [str(row) for table in tables for row in session.execute(sa.select(sa.text("*")).select_from(table))]
    files = [file.read_text("utf-8", "replace") for file in sorted(data_dir.rglob("*")) if file.is_file()]
    return "\n".join(rows + files)


def test_after_an_erase_no_table_and_no_file_names_the_person(
    session: Session, brand: Brand, settings: Settings
) -> None:
    done = an_upload(session, brand, state="done")
    assert (done.stored, done.rejected) == (1, 3)
    for state in ("uploaded", "checked"):
        an_upload(session, brand, state=state)
    before = held(session, settings.data_dir)
    assert [canary for canary in CANARIES if canary not in before] == []
    erase(session, the_canary(session, brand), "user:1")
    session.commit()
    after = held(session, settings.data_dir).lower()
    assert [canary for canary in CANARIES if canary.lower() in after] == []


def test_the_notes_about_bad_rows_stay_without_their_cells(session: Session, brand: Brand) -> None:
    done = an_upload(session, brand, state="done")
    noted = [(p.line, p.column, p.rule) for p in queries.problems(session, done)]
    erase(session, the_canary(session, brand), "user:1")
    left = queries.problems(session, done)
    assert [(p.line, p.column, p.rule) for p in left] == noted
    assert {p.value for p in left} == {""}
    assert all(why(p.rule, p.message) for p in left)


@pytest.mark.parametrize("state", ["uploaded", "checking", "checked", "running"])
def test_an_erase_ends_what_was_to_be_imported(session: Session, brand: Brand, state: str) -> None:
    an_upload(session, brand, state="done")
    waiting = an_upload(session, brand, CONTENT + ROW.format(score=10), state=state)
    erase(session, the_canary(session, brand), "user:1")
    session.commit()
    jobs.drain(session)
    session.refresh(waiting)
    assert (waiting.state, waiting.lines_done) == ("failed", 0)
    assert "Somebody was erased" in why_failed(waiting.reason)
    with pytest.raises(Gone):
        uploads.sample_of(waiting)
    assert session.scalars(sa.select(Customer.erased_at).where(Customer.erased_at.is_(None))).all() == []


def test_an_erase_stops_an_import_between_two_groups_of_rows(session: Session, brand: Brand) -> None:
    an_upload(session, brand, state="done")
    rest = "".join(f"{n},word,bird{n}@bird.example,Bird {n},b-{n}\n" for n in range(9))
    run = an_upload(session, brand, HEADER + rest + ROW.format(score=10), state="running")

    def erase_early(one: ImportRun) -> None:
        if one.lines_done == 3:
            erase(session, the_canary(session, brand), "user:1")
            session.commit()

    import_job.run(run.id, erase_early, size=3)
    session.refresh(run)
    assert (run.state, run.lines_done, run.stored) == ("failed", 3, 3)
    names = session.scalars(sa.select(Customer.name).where(Customer.erased_at.is_(None)).order_by(Customer.id))
    assert list(names) == ["Bird 0", "Bird 1", "Bird 2"]


def test_another_brands_files_and_a_file_of_the_command_line_stay(
    session: Session, brand: Brand, tmp_path: Path
) -> None:
    an_upload(session, brand, state="done")
    theirs = an_upload(session, a_brand(session, "other"))
    own = tmp_path / "own.csv"
    own.write_text(CONTENT)
    by_hand = importing.new_run(session, brand, own, "own.csv", importing.sha256_of(own), "cli:ana")
    erase(session, the_canary(session, brand), "user:1")
    assert Path(theirs.file_path).is_file()
    assert own.is_file()
    assert (theirs.state, by_hand.state) == ("uploaded", "uploaded")


def test_an_upload_that_nobody_came_back_to_is_deleted(session: Session, brand: Brand) -> None:
    old, fresh = an_upload(session, brand, state="checked"), an_upload(session, brand)
    long_ago = (clock.now() - uploads.KEPT - timedelta(minutes=1)).timestamp()
    os.utime(old.file_path, (long_ago, long_ago))
    assert uploads.clear_away(session, 100) == 1
    assert (Path(old.file_path).exists(), Path(fresh.file_path).exists()) == (False, True)
    assert uploads.clear_away(session, 100) == 0
    uploads.begin(session, old, "user:1")
    jobs.drain(session)
    session.refresh(old)
    assert (old.state, why_failed(old.reason)) == ("failed", "The uploaded file is gone. Upload it again.")


def test_a_file_that_failed_in_the_middle_is_not_kept(session: Session, brand: Brand) -> None:
    run = an_upload(session, brand, state="running")
    run.lines_done = 1
    run.mapping = {**run.mapping, "fields": {"given": {"column": "Gone"}}}
    session.commit()
    jobs.drain(session)
    session.refresh(run)
    assert run.state == "failed"
    assert not Path(run.file_path).exists()


def test_a_worker_that_died_after_the_last_row_leaves_no_file(session: Session, brand: Brand) -> None:
    run = an_upload(session, brand, state="running")
    import_job.run(run.id)  # its job would delete the file next
    assert Path(run.file_path).exists()
    import_job.work({"run": run.id})
    assert not Path(run.file_path).exists()
    assert session.scalar(sa.select(sa.func.count(Response.id))) == 1
