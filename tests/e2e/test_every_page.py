"""Every page there is in a real browser: no axe or CSP violation, nothing wider than the screen."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page

from amplify.app import create_app
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.demo.seed import PASSWORD, seed
from tests.e2e.serving import served
from tests.e2e.test_share_page import aside, prepare
from tests.every_page import addresses

FEWEST = 30


@pytest.fixture(scope="module")
def site(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """A small version of the demo, running, and the paths of its pages."""
    data = tmp_path_factory.mktemp("every")
    app = create_app(Settings(env="test", database_url=new_database(), data_dir=data, base_url="http://127.0.0.1"))

    def fill() -> list[str]:
        prepare()
        brand = seed(db.session, datetime.now(UTC), lambda done, of: None, answers=120)
        found = list(addresses(app, db.session, brand))
        db.session.commit()
        return found

    paths = aside(app, fill)
    with served(app) as address:
        yield address, paths
    aside(app, lambda: db.engine.dispose())


@pytest.mark.parametrize(("width", "scheme", "language"), [(390, "dark", "es"), (1280, "light", "en")])
def test_every_page_is_accessible_within_its_policy_and_no_wider_than_the_screen(
    site: tuple[str, list[str]], new_page: Any, axe: Any, csp_violations: Any, screens: Any,
    width: int, scheme: str, language: str,
) -> None:  # fmt: skip
    address, paths = site
    page = new_page(width, color_scheme=scheme, locale=language)
    sign_in(page, address)
    refused = csp_violations(page)
    found: list[str] = []
    looked_at = 0
    for path in paths:
        if "<html" not in page.request.get(f"{address}{path}").text():
            continue  # a part of a page, a picture, a file
        page.goto(f"{address}{path}?lang={language}")
        looked_at += 1
        found += [f"{path} {problem}" for problem in axe(page)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{path} is {wide} wide"] if wide > width else []
        screens(page, f"every{path.replace('/', '-')[:80]}-{width}")
    assert found == []
    assert refused == []
    assert looked_at > FEWEST


def sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/login")
    page.fill("input[name=email]", "ada@brisa.example")
    page.fill("input[name=password]", PASSWORD)
    page.click("main [type=submit]")
    page.wait_for_url("**/console**")
