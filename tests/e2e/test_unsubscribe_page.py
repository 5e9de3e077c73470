"""The page behind "Unsubscribe" and the ask's mail, as a person sees them on a phone."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from playwright.sync_api import expect

from amplify.app import create_app
from amplify.core import jobs
from amplify.core.db import Base, db
from amplify.core.settings import Settings
from amplify.delivery.models import Message
from amplify.delivery.render import Rendered, render, unsubscribe_url
from amplify.delivery.services import queue_message
from tests.delivery.conftest import CONTEXT
from tests.e2e.serving import served
from tests.world import a_brand


def _prepare() -> None:
    Base.metadata.create_all(db.engine)
    jobs.create_tables(db.engine)


def _make(locale: str) -> tuple[str, Rendered]:
    brand = a_brand(db.session, f"aurora-{locale}", name="Casa Aurora", theme={"accent": "#8a3ffc"})
    brand.postal_address = "Casa Aurora, 1 Main Street"
    given = {**CONTEXT, "quote": "Best breakfast in town.", "is_rewarded": True, "disclosure": "Ad: there is a reward."}
    message: Message = queue_message(
        db.session, brand, template="ask", address="ana@friends.example", locale=locale, context=given
    )
    made = unsubscribe_url(message).removeprefix("http://127.0.0.1:8000"), render(message, brand)
    db.session.commit()
    return made


@pytest.fixture(scope="module")
def site(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, tuple[str, Rendered]]]]:
    """The application's address, and by language the path of the page and the mail that leads there."""
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
    page.goto(address + made[locale][0])
    screens(page, f"unsubscribe-{locale}")
    assert axe(page) == []
    plain = new_page(390, java_script_enabled=False)
    plain.goto(address + made[locale][0])
    plain.locator("main form button").click()
    expect(plain.locator("main form")).to_have_count(0)
    page.reload()
    screens(page, f"unsubscribed-{locale}")
    expect(page.locator("main form")).to_have_count(0)
    assert axe(page) == []
    assert refused == []


@pytest.mark.parametrize("locale", ["en", "es"])
def test_the_mail_fits_a_phone_and_is_readable(
    site: Any, new_page: Any, axe: Any, screens: Any, tmp_path: Path, locale: str
) -> None:
    rendered = site[1][locale][1]
    file = tmp_path / "mail.html"
    file.write_text(rendered.html)
    page = new_page(390)
    page.goto(file.as_uri())
    screens(page, f"mail-ask-{locale}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # A mail has no landmarks; everything else counts.
    assert [line for line in axe(page) if not line.startswith(("region", "landmark"))] == []
