"""The pages behind the links of a mail, and the ask's mail, as a person sees them on a phone."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from apiflask import APIFlask
from playwright.sync_api import expect

from amplify.app import create_app
from amplify.core import jobs
from amplify.core.db import Base, db
from amplify.core.settings import Settings
from amplify.delivery.models import Message
from amplify.delivery.render import Rendered, preferences_url, render, unsubscribe_url
from amplify.delivery.services import queue_message
from tests.delivery.conftest import CONTEXT
from tests.e2e.serving import served
from tests.world import a_brand


def _prepare() -> None:
    Base.metadata.create_all(db.engine)
    jobs.create_tables(db.engine)


class Made(NamedTuple):
    """The paths that a mail leads to, and the mail."""

    unsubscribe: str
    preferences: str
    mail: Rendered


def _make(locale: str) -> Made:
    brand = a_brand(db.session, f"aurora-{locale}", name="Casa Aurora", theme={"accent": "#8a3ffc"})
    brand.postal_address = "Casa Aurora, 1 Main Street"
    given = {**CONTEXT, "quote": "Best breakfast in town.", "is_rewarded": True, "disclosure": "Ad: there is a reward."}
    message: Message = queue_message(
        db.session, brand, template="ask", address="ana@friends.example", locale=locale, context=given, person="x:1"
    )
    paths = [one(message).removeprefix("http://127.0.0.1:8000") for one in (unsubscribe_url, preferences_url)]
    made = Made(paths[0], paths[1], render(message, brand))
    db.session.commit()
    return made


@pytest.fixture(scope="module")
def site(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, Made]]]:
    """The application's address, and by language the paths of the pages and the mail that leads there."""
    settings = Settings(env="test", database_url=new_database(), data_dir=tmp_path_factory.mktemp("data"))
    app: APIFlask = create_app(settings)

    def inside(work: Callable[[], Any]) -> Any:
        with app.app_context():
            return work()

    # The browser's driver keeps an event loop in this thread: the database is used in another.
    with ThreadPoolExecutor(1) as pool, served(app) as address:
        pool.submit(inside, _prepare).result()
        yield address, {name: pool.submit(inside, partial(_make, name)).result() for name in ("en", "es")}
        pool.submit(inside, lambda: db.engine.dispose()).result()


@pytest.mark.parametrize("locale", ["en", "es"])
def test_the_page_asks_once_and_thanks_without_script_or_cookie(
    site: Any, new_page: Any, axe: Any, csp_violations: Any, screens: Any, locale: str
) -> None:
    address, made = site
    page = new_page(390)
    refused = csp_violations(page)
    page.goto(address + made[locale].unsubscribe)
    screens(page, f"unsubscribe-{locale}")
    assert axe(page) == []
    plain = new_page(390, java_script_enabled=False)
    plain.goto(address + made[locale].unsubscribe)
    plain.locator("main form button").click()
    expect(plain.locator("main form")).to_have_count(0)
    page.reload()
    screens(page, f"unsubscribed-{locale}")
    expect(page.locator("main form")).to_have_count(0)
    assert axe(page) == []
    assert refused == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("locale", ["en", "es"])
def test_wishes_are_said_and_shown_again_without_script_or_cookie(
    site: Any, new_page: Any, axe: Any, csp_violations: Any, screens: Any, locale: str, width: int, scheme: str
) -> None:
    address, made = site
    page = new_page(width, color_scheme=scheme)
    refused = csp_violations(page)
    page.goto(address + made[locale].preferences)
    screens(page, f"preferences-{locale}-{width}-{scheme}")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    plain = new_page(width, java_script_enabled=False)
    plain.goto(address + made[locale].preferences)
    plain.locator("input[value=email]").set_checked(False)
    plain.locator("input[value=fewer]").check()
    plain.locator("main form button").first.click()
    page.reload()
    expect(page.locator("input[value=email]")).not_to_be_checked()
    expect(page.locator("input[value=fewer]")).to_be_checked()
    assert refused == []


@pytest.mark.parametrize("locale", ["en", "es"])
def test_the_mail_fits_a_phone_and_is_readable(
    site: Any, new_page: Any, axe: Any, screens: Any, tmp_path: Path, locale: str
) -> None:
    rendered = site[1][locale].mail
    file = tmp_path / "mail.html"
    file.write_text(rendered.html)
    page = new_page(390)
    page.goto(file.as_uri())
    screens(page, f"mail-ask-{locale}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # A mail has no landmarks; everything else counts.
    assert [line for line in axe(page) if not line.startswith(("region", "landmark"))] == []
