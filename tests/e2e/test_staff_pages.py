"""Staff's pages in a real browser: signing in by hand, then every page without an axe or a CSP violation."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from amplify.accounts import audit
from amplify.app import create_app
from amplify.core.db import db
from amplify.core.settings import Settings
from tests.e2e.serving import served
from tests.e2e.test_share_page import aside, prepare
from tests.world import PASSWORD, a_brand, a_key, a_user

PAGES = ("/console", "/console/keys", "/console/people", "/console/audit", "/console/settings", "/console/password")
OPEN_PAGES = ("/login", "/reset", "/logout", "/api/docs", "/b/acme/privacy", "/console/nothing-here")


@pytest.fixture(scope="module")
def address(new_database: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running installation with one brand, its staff and a little history."""
    data: Path = tmp_path_factory.mktemp("staff")
    app = create_app(Settings(env="test", database_url=new_database(), data_dir=data, base_url="http://127.0.0.1"))
    aside(app, fill)
    with served(app) as found:
        yield found
    aside(app, lambda: db.engine.dispose())


def fill() -> None:
    prepare()
    brand = a_brand(db.session, theme={"accent": "#0b6bcb"})
    a_user(db.session, brand, email="ana@acme.example")
    a_user(db.session, brand, "brand").active = False
    a_key(db.session, brand, "responses:read")
    audit.record(db.session, brand.id, "user:1", "brand.policy-changed", "brand", "acme", {"name": ["A", "B"]})
    db.session.commit()


def sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/console/keys")
    page.get_by_label("E-mail address").fill("ana@acme.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/keys")


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_is_accessible_and_within_its_policy(
    address: str,
    width: int,
    new_page: Callable[..., Page],
    axe: Callable[[Page], list[str]],
    csp_violations: Callable[[Page], list[str]],
    screens: Callable[[Page, str], None],
) -> None:
    page = new_page(width)
    refused = csp_violations(page)
    found: list[str] = []
    for path in OPEN_PAGES:
        page.goto(address + path)
        found += [f"{path} {problem}" for problem in axe(page)]
        screens(page, f"open{path.replace('/', '-')}-{width}")
    sign_in(page, address)
    for path in PAGES:
        page.goto(address + path)
        found += [f"{path} {problem}" for problem in axe(page)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{path} is {wide} wide"] if wide > width else []
        screens(page, f"staff{path.replace('/', '-')}-{width}")
    assert found == []
    # A 404 page is an error to the browser's console, and meant.
    assert [text for text in refused if "404" not in text] == []


def test_somebody_signs_out_by_the_menu(address: str, new_page: Callable[..., Page]) -> None:
    page = new_page()
    sign_in(page, address)
    page.get_by_role("link", name="Sign out").first.click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.goto(f"{address}/console")
    assert "/login" in page.url
