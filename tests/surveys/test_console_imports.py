"""The import in the console, as staff go through it: upload, columns, dry run, start, result."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from amplify.brands.models import Brand
from amplify.core import jobs
from amplify.core.paths import CONFIG
from amplify.core.settings import Settings
from amplify.surveys import importing
from amplify.surveys.models import ImportRun, Response
from tests.client import Client
from tests.world import a_brand, a_user

CSV = "Id,Score,Words,Place\n1,9,Great,Lima\n2,3,NA,Lima\n3,x,=cmd,Quito\n"
COLUMNS = {
    "column-given": "Score",
    "column-external_id": "Id",
    "column-comment": "Words",
    "column-location": "Place",
    "name": "spring",
    "scale": "nps",
    "empty": "NA, -",
    "formats": "iso",
    "timezone": "UTC",
    "on_conflict": "refuse",
}


@pytest.fixture
def staff(session: Session, brand: Brand, client: Client) -> Client:
    client.sign_in(a_user(session, brand, "marketer"))
    return client


def _upload(staff: Client, content: str | bytes = CSV, **more: Any) -> TestResponse:
    raw = content.encode() if isinstance(content, str) else content
    data: dict[str, Any] = {"file": (io.BytesIO(raw), "spring.csv"), "encoding": "utf-8-sig", "delimiter": ","}
    # As bytes: for large ones werkzeug's client makes a temporary file, which it does not close.
    form = {**data, **more, "csrf_token": staff.csrf_token()}
    boundary, body = encode_multipart({k: FileStorage(*v) if isinstance(v, tuple) else v for k, v in form.items()})
    return staff.post("/console/imports", data=body, content_type=f'multipart/form-data; boundary="{boundary}"')


def _one_run(session: Session) -> ImportRun:
    return session.scalars(sa.select(ImportRun)).one()


def test_from_the_upload_to_the_stored_answers(session: Session, staff: Client) -> None:
    uploaded = _upload(staff)
    assert uploaded.status_code == 303
    page = staff.get(uploaded.location).text
    assert "Which column is what?" in page
    assert '<option value="Score">Score</option>' in page
    assert "Great" in page

    chosen = staff.post_form(f"{uploaded.location}/columns", COLUMNS)
    assert chosen.status_code == 303
    waiting = staff.get(chosen.location).text
    assert "Checking the file" in waiting
    assert 'hx-trigger="every 1s"' in waiting
    assert '<noscript><meta http-equiv="refresh"' in waiting
    assert session.scalar(sa.select(sa.func.count(Response.id))) == 0

    jobs.drain(session)
    checked = staff.get(chosen.location).text
    assert "Import 2 answers" in checked
    assert "The score is not a whole number." in checked
    assert "http-equiv" not in checked
    problems = staff.get(f"{chosen.location}/problems.csv").text
    assert "4,Score,integer,The score is not a whole number.,x" in problems

    started = staff.post_form(f"{chosen.location}/start")
    assert started.status_code == 303
    assert "Importing answers" in staff.get(chosen.location).text
    jobs.drain(session)
    done = staff.get(chosen.location).text
    assert "Every row was looked at." in done
    run = _one_run(session)
    assert (run.state, run.stored, run.rejected, run.lines_done) == ("done", 2, 1, 3)
    stored = session.scalars(sa.select(Response).order_by(Response.external_id))
    assert [(r.source, r.given, r.comment) for r in stored] == [("import:spring", 9, "Great"), ("import:spring", 3, "")]
    assert not Path(run.file_path).exists()
    assert "spring.csv" in staff.get("/console/imports").text


def test_an_edited_file_makes_new_versions_when_staff_say_so(session: Session, staff: Client) -> None:
    for content, on_conflict in ((CSV, "refuse"), (CSV.replace("1,9,", "1,10,"), "new_version")):
        run = _upload(staff, content).location
        staff.post_form(f"{run}/columns", {**COLUMNS, "on_conflict": on_conflict})
        jobs.drain(session)
        checked = staff.get(run).text
        staff.post_form(f"{run}/start")
        jobs.drain(session)
        assert ("New versions" in checked) == ("New versions" in staff.get(run).text) == (on_conflict == "new_version")
    stored = session.scalars(sa.select(Response).where(Response.external_id == "1").order_by(Response.revision))
    assert [(r.revision, r.given) for r in stored] == [(1, 9), (2, 10)]


def test_the_progress_is_asked_for_in_parts(session: Session, staff: Client) -> None:
    uploaded = _upload(staff)
    staff.post_form(f"{uploaded.location}/columns", COLUMNS)
    part = staff.get(uploaded.location, headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith("<div")
    assert "<html" not in part


def test_a_mapping_in_toml_goes_straight_to_the_dry_run(session: Session, staff: Client, airline_csv: Path) -> None:
    toml = (io.BytesIO((CONFIG / "imports" / "airline.toml").read_bytes()), "airline.toml")
    uploaded = _upload(staff, airline_csv.read_bytes(), toml=toml)
    assert uploaded.status_code == 303
    jobs.drain(session)
    page = staff.get(uploaded.location).text
    assert "Import 10,281 answers" in page
    assert "Likelihood.to.recommend" in page


def test_the_next_import_of_such_a_file_proposes_the_same_columns(session: Session, staff: Client) -> None:
    first = _upload(staff)
    staff.post_form(f"{first.location}/columns", COLUMNS)
    jobs.drain(session)
    second = _upload(staff, CSV + "4,10,Fine,Lima\n")
    page = staff.get(second.location).text
    assert '<option value="Score" selected>Score</option>' in page
    assert 'value="spring"' in page


def test_a_dry_run_can_be_repeated_with_other_columns(session: Session, staff: Client) -> None:
    run = _upload(staff).location
    staff.post_form(f"{run}/columns", {**COLUMNS, "column-given": "Id"})
    jobs.drain(session)
    assert _one_run(session).report["new"] == 3
    assert "Which column is what?" in staff.get(f"{run}/columns").text
    staff.post_form(f"{run}/columns", COLUMNS)
    jobs.drain(session)
    session.expire_all()
    assert _one_run(session).report["new"] == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"column-given": ""}, "Say which column holds the score."),
        ({"column-given": "Nothing"}, "The file has no column “Nothing”."),
        ({"name": ""}, "Please fill this in."),
        ({"name": "Two Words"}, "name:"),
        ({"timezone": "Mars"}, "dates.timezone"),
        ({"formats": "%d"}, "dates.formats.0"),
        ({"scale": "stars"}, "Not a valid choice."),
    ],
)
def test_wrong_columns_are_shown_again(session: Session, staff: Client, change: dict[str, str], words: str) -> None:
    run = _upload(staff).location
    page = staff.post_form(f"{run}/columns", {**COLUMNS, **change})
    assert page.status_code == 422
    assert words in page.text
    assert '<option value="Words" selected>Words</option>' in page.text
    session.expire_all()
    assert _one_run(session).state == "uploaded"


@pytest.mark.parametrize(
    ("content", "more", "words"),
    [
        (b"", {}, "The file is empty."),
        (b"A\n1\n", {"toml": (io.BytesIO(b"name = "), "m.toml")}, "The mapping is not TOML"),
        (b"A\n1\n", {"toml": (io.BytesIO(b'name="x"\n[fields]\ngiven="S"\n'), "m.toml")}, "fields.given.column"),
        (b"A\n1\n", {"encoding": "utf-7"}, "Not a valid choice."),
    ],
)
def test_a_wrong_upload_leaves_nothing_behind(
    session: Session, staff: Client, settings: Settings, content: bytes, more: dict[str, Any], words: str
) -> None:
    folder = settings.data_dir / "imports"
    before = set(folder.glob("*"))
    page = _upload(staff, content, **more)
    assert page.status_code in (400, 422)
    assert words in page.text
    assert session.scalar(sa.select(sa.func.count(ImportRun.id))) == 0
    assert set(folder.glob("*")) == before


def test_a_header_that_cannot_be_read_is_said_kindly(staff: Client) -> None:
    uploaded = _upload(staff, b"Sc\xffore\n9\n")
    page = staff.get(uploaded.location)
    assert page.status_code == 400
    assert "The first line cannot be read in this encoding." in page.text


def test_a_file_larger_than_any_other_body_is_taken(session: Session, staff: Client, settings: Settings) -> None:
    rows = "".join(f"{n},9,{'x' * 80},Lima\n" for n in range(15_000))
    assert len(rows) > settings.max_body_bytes
    assert _upload(staff, "Id,Score,Words,Place\n" + rows).status_code == 303


def test_a_run_starts_once(session: Session, staff: Client) -> None:
    run = _upload(staff).location
    assert staff.post_form(f"{run}/start").status_code == 409
    staff.post_form(f"{run}/columns", COLUMNS)
    jobs.drain(session)
    assert staff.post_form(f"{run}/start").status_code == 303
    assert staff.post_form(f"{run}/start").status_code == 409
    assert staff.post_form(f"{run}/columns", COLUMNS).status_code == 409
    jobs.drain(session)
    assert session.scalar(sa.select(sa.func.count(Response.id))) == 2


def test_a_failed_run_says_why(session: Session, staff: Client) -> None:
    run = _upload(staff).location
    staff.post_form(f"{run}/columns", COLUMNS)
    Path(_one_run(session).file_path).unlink()
    jobs.drain(session)
    assert "The uploaded file is gone." in staff.get(run).text
    assert staff.get(f"{run}/columns").status_code == 410
    assert staff.post_form(f"{run}/columns", COLUMNS).status_code == 410


def test_another_brands_import_is_404(session: Session, staff: Client, tmp_path: Path) -> None:
    foreign = importing.new_run(session, a_brand(session, "other"), tmp_path / "x", "x", "0" * 64, "user:9")
    session.commit()
    base = f"/console/imports/{foreign.id}"
    assert [staff.get(f"{base}{tail}").status_code for tail in ("", "/columns", "/problems.csv")] == [404] * 3
    assert [staff.post_form(f"{base}/{verb}").status_code for verb in ("start", "columns")] == [404] * 2


def test_what_was_typed_is_escaped(staff: Client) -> None:
    uploaded = _upload(staff, "<script>alert(1)</script>,Score\n<b>x</b>,9\n")
    page = staff.get(uploaded.location).text
    assert not re.search(r"<script>alert|<b>x", page)
