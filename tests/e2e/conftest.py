"""A real browser for every test that needs one: Chromium, axe-core, what the CSP refused, and screenshots on demand."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tools import browser as chromium_of_the_system

AXE = Path(__file__).parents[1] / "fixtures" / "vendor" / "axe.min.js"
# Nothing but this machine has an address: a test that follows a link to a network ends there.
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--font-render-hinting=none", NOWHERE]
# Everything WCAG 2.2 AA asks for, and axe's own best practices.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One Chromium for all browser tests; each test takes its own context from it.

    Not for the whole session: Playwright keeps an event loop running in this thread while it lives, and a test
    of another folder could then not leave an application context here."""
    path = chromium_of_the_system.provide()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """new_page(width=390, **context options) opens a page in its own context, closed after the test."""
    contexts: list[BrowserContext] = []

    def new(width: int = 1280, height: int = 844, **options: Any) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        return context.new_page()

    yield new
    for context in contexts:
        context.close()


@pytest.fixture
def axe() -> Callable[[Page], list[str]]:
    """axe(page) gives what axe-core finds wrong, one line each; an empty list is what is wanted."""

    def check(page: Page) -> list[str]:
        # Evaluated by the debugger, so the page's own CSP stays as strict as it is.
        page.evaluate(AXE.read_text())
        found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    return check


@pytest.fixture
def csp_violations() -> Callable[[Page], list[str]]:
    """csp_violations(page), called before `goto`, gives a list that fills with CSP refusals and script errors."""

    def collect(page: Page) -> list[str]:
        refused: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            if message.type == "error":
                refused.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: refused.append(str(error)))
        return refused

    return collect


@pytest.fixture
def screens(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """screens(page, name) writes a picture of the whole page into the folder of `--screens`; nothing without it."""
    folder = request.config.getoption("--screens")

    def take(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return take
