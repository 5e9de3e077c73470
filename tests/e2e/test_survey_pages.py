"""The survey, the answers and the import in a real browser: readable, operable, under the strict policy."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from playwright.sync_api import Page, expect

from amplify.accounts.services import create_user
from amplify.app import create_app
from amplify.brands.services import create_brand
from amplify.core import jobs
from amplify.core.db import db
from amplify.core.paths import CONFIG
from amplify.core.settings import Settings
from amplify.surveys import import_job, importing, mapping
from amplify.surveys.models import Response
from amplify.surveys.services import ensure_survey
from tests.client import Client
from tests.e2e.serving import served
from tests.e2e.test_share_page import aside, prepare
from tests.surveys.conftest import airline_csv

__all__ = ["airline_csv"]

PHONE, DESK = 390, 1280
SURVEY = "/b/aurora/survey/visit"
CONSOLE = [f"/console/{name}" for name in ("surveys", "surveys/results", "surveys/hosted", "surveys/1", "imports")]


@pytest.fixture(scope="module")
def site(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory, airline_csv: Path
) -> Iterator[tuple[APIFlask, str]]:
    """The whole application with the first 2,000 answers of the airline file."""
    folder = tmp_path_factory.mktemp("data")
    settings = Settings(env="test", database_url=new_database(), data_dir=folder)
    app = create_app(settings)
    app.test_client_class = Client
    part = folder / "part.csv"
    with airline_csv.open(encoding="utf-8") as whole:
        part.write_text("".join(islice(whole, 2001)), encoding="utf-8")
    aside(app, prepare)
    aside(app, lambda: populate(part))
    with served(app) as address:
        yield app, address
    aside(app, lambda: db.engine.dispose())


def populate(part: Path) -> None:
    """A brand with two surveys, staff, and imported answers."""
    brand = create_brand(db.session, slug="aurora", name="Casa Aurora")
    brand.theme = {"accent": "#8a3ffc"}
    ensure_survey(db.session, brand, "visit", "After the visit")
    ensure_survey(db.session, brand, "stay", "After the stay").scale = "csat5"
    create_user(db.session, brand, email="mia@aurora.example", role="marketer", password="correct horse 9!")
    chosen = mapping.load((CONFIG / "imports" / "airline.toml").read_text(encoding="utf-8"))
    run = importing.new_run(db.session, brand, part, "airline.csv", importing.sha256_of(part), "cli:test")
    importing.begin_unchecked(db.session, run, chosen, "cli:test")
    db.session.commit()
    import_job.run(run.id)


def fits(page: Page) -> bool:
    """Nothing sticks out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def sign_in(page: Page, address: str, lang: str = "en") -> None:
    page.goto(f"{address}/login?lang={lang}")
    page.fill("input[name=email]", "mia@aurora.example")
    page.fill("input[name=password]", "correct horse 9!")
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/console**")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("lang", "width"), [("en", PHONE), ("es", PHONE), ("en", DESK)])
def test_the_survey_is_readable_and_operable(
    site: Any, new_page: Any, axe: Any, csp_violations: Any, screens: Any, lang: str, width: int, scheme: str
) -> None:
    page = new_page(width, color_scheme=scheme)
    refused = csp_violations(page)
    page.goto(f"{site[1]}{SURVEY}?lang={lang}&score=9")
    assert page.locator("input[value='9']").is_checked()
    assert axe(page) == []
    assert fits(page)
    screens(page, f"survey-{lang}-{width}-{scheme}")
    page.goto(f"{site[1]}/b/aurora/survey/stay?lang={lang}")
    assert axe(page) == []
    screens(page, f"survey-csat-{lang}-{width}-{scheme}")
    page.locator("input[value='2']").check()
    page.fill("#comment", "The room was cold.")
    page.locator("main button[type=submit]").click()
    expect(page.locator("blockquote")).to_have_text("The room was cold.")
    assert axe(page) == []
    assert fits(page)
    screens(page, f"survey-thanks-{lang}-{width}-{scheme}")
    assert refused == []


def test_the_survey_works_without_script_and_by_keyboard(site: Any, new_page: Any) -> None:
    app, address = site
    before = aside(app, lambda: db.session.query(Response).filter_by(source="hosted:visit").count())
    page = new_page(PHONE, java_script_enabled=False)
    page.goto(f"{address}{SURVEY}")
    page.locator("input[value='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.type("Queue too long")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Thank you for being frank.")
    kept = aside(app, lambda: [r.given for r in db.session.query(Response).filter_by(source="hosted:visit")])
    assert len(kept) == before + 1
    assert kept[-1] == 2


@pytest.mark.parametrize(("lang", "width"), [("en", PHONE), ("es", DESK)])
def test_the_console_pages_are_readable(
    site: Any, new_page: Any, axe: Any, csp_violations: Any, screens: Any, lang: str, width: int
) -> None:
    page = new_page(width)
    refused = csp_violations(page)
    sign_in(page, site[1], lang)
    for path in CONSOLE:
        page.goto(f"{site[1]}{path}")
        page.wait_for_load_state("networkidle")
        assert axe(page) == [], path
        assert fits(page), path
        screens(page, f"console{path.replace('/', '-')}-{lang}-{width}")
    assert refused == []


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_file_is_imported_step_by_step(
    site: Any, new_page: Any, axe: Any, csp_violations: Any, screens: Any, tmp_path: Path, width: int
) -> None:
    app, address = site
    file = tmp_path / "spring.csv"
    file.write_text("Id;Note;Words\n1;9;Lovely\n2;11;Too far\n3;4;Cold\n")
    page = new_page(width)
    refused = csp_violations(page)
    sign_in(page, address)
    page.goto(f"{address}/console/imports")
    page.set_input_files("input[name=file]", str(file))
    page.select_option("select[name=delimiter]", ";")
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("h1")).to_have_text("Which column is what?")
    assert axe(page) == []
    assert fits(page)
    screens(page, f"import-columns-{width}")
    page.select_option("#column-given", "Note")
    page.select_option("#column-external_id", "Id")
    page.select_option("#column-comment", "Words")
    page.fill("input[name=name]", f"spring-{width}")
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("Checking the file")).to_be_visible()
    assert axe(page) == []
    aside(app, lambda: jobs.drain(db.session))
    expect(page.get_by_role("button", name="Import 2 answers")).to_be_visible()  # htmx brought it: nobody reloaded
    assert axe(page) == []
    assert fits(page)
    screens(page, f"import-checked-{width}")
    page.get_by_role("button", name="Import 2 answers").click()
    aside(app, lambda: jobs.drain(db.session))
    expect(page.get_by_text("Every row was looked at.")).to_be_visible()
    assert axe(page) == []
    screens(page, f"import-done-{width}")
    assert refused == []
