"""The interface in a real browser under a strict CSP: readable in both languages and themes, on phone and desk."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import css_inline
import pytest
from babel.messages.mofile import write_mo
from flask import Flask, Response, flash, render_template, request
from playwright.sync_api import Page

from amplify.core import paths, ui
from amplify.core.colour import palette
from amplify.core.i18n import babel, choose_language
from amplify.core.styleguide import samples
from tests.e2e.serving import served
from tools import i18n

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
PAGES = {"console": "/", "customer": "/customer", "error": "/error/422", "mail": "/mail"}
# A mail carries its styles in the elements; it is looked at here only for contrast and structure.
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https:"


def brand(accent: str) -> SimpleNamespace:
    return SimpleNamespace(
        slug="aurora",
        name="Aurora Air",
        theme={"accent": accent},
        privacy_url="https://aurora.example/privacy",
        postal_address="1 Runway Road, Aurora",
    )


def compile_spanish(folder: Path) -> None:
    """The catalogue as it stands, with what still waits beside its feature."""
    target = folder / "es" / "LC_MESSAGES" / "messages.mo"
    target.parent.mkdir(parents=True)
    with target.open("wb") as file:
        write_mo(file, i18n.merged(i18n.extract()))


def small_app(locales: Path) -> Flask:
    """Only the shell: the same templates, helpers and languages as the product, and no database."""
    app = Flask("amplify", template_folder=str(paths.TEMPLATES), static_folder=str(paths.STATIC))
    app.config.update(SECRET_KEY="test", BABEL_TRANSLATION_DIRECTORIES=str(locales))
    babel.init_app(app, locale_selector=choose_language)
    ui.init_app(app)
    staff = SimpleNamespace(email="marta@aurora.example", is_authenticated=True)

    @app.context_processor
    def context() -> dict[str, Any]:
        return {"brand": brand(request.args.get("accent", "#0b6bcb")), "demo": True, "current_user": staff}

    @app.get("/")
    def console() -> str:
        flash("12 answers stored.", "success")
        return render_template("styleguide.html", **samples())

    @app.get("/customer")
    def customer() -> str:
        return render_template("styleguide_customer.html", **samples())

    @app.get("/error/<int:status>")
    def error(status: int) -> str:
        fault = SimpleNamespace(field="starts_at", message="The start lies in the past.")
        problem = SimpleNamespace(title="Not right yet.", detail="See below.", field="", rule="past", faults=[fault])
        return render_template("errors/page.html", problem=problem, status=status, reference="7f3a")

    @app.get("/mail")
    def mail() -> str:
        return css_inline.inline(render_template("styleguide_mail.html", unsubscribe_url="https://aurora.example/u"))

    @app.get("/brand/<slug>/theme.css")
    def theme(slug: str) -> Response:
        return Response(palette(f"#{request.args['v']}").css(), mimetype="text/css")

    @app.after_request
    def strict(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = MAIL_POLICY if request.path == "/mail" else POLICY
        return response

    return app


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    locales = tmp_path_factory.mktemp("locales")
    compile_spanish(locales)
    with served(small_app(locales)) as address:
        yield address


def settle(page: Page) -> None:
    """Until every chart is drawn: a page measured before that is another page."""
    page.wait_for_function("document.querySelectorAll('[data-chart]:not([data-drawn])').length === 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("name", PAGES)
def test_every_part_is_accessible_and_obeys_the_csp(
    site: str,
    new_page: Callable[..., Page],
    axe: Callable[[Page], list[str]],
    csp_violations: Callable[[Page], list[str]],
    screens: Callable[[Page, str], None],
    name: str,
    language: str,
    width: int,
    scheme: str,
) -> None:
    page = new_page(width, color_scheme=scheme, reduced_motion="reduce")
    refused = csp_violations(page)
    page.goto(f"{site}{PAGES[name]}?lang={language}")
    settle(page)
    screens(page, f"shell-{name}-{language}-{width}-{scheme}")

    assert axe(page) == []
    assert refused == []
    assert page.locator("html").get_attribute("lang") == language
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("accent", ["ffd400", "101010", "e6007e", "ffffff"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["console", "customer"])
def test_any_brand_accent_stays_readable(
    site: str,
    new_page: Callable[..., Page],
    axe: Callable[[Page], list[str]],
    screens: Callable[[Page, str], None],
    name: str,
    scheme: str,
    accent: str,
) -> None:
    page = new_page(390, color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{site}{PAGES[name]}?accent=%23{accent}")
    settle(page)
    screens(page, f"accent-{name}-{accent}-{scheme}")

    assert axe(page) == []


def test_a_mail_is_dark_where_the_reader_is_and_keeps_its_button_everywhere(
    site: str, new_page: Callable[..., Page]
) -> None:
    page = new_page(390, color_scheme="dark")
    page.goto(f"{site}/mail")
    assert page.evaluate("getComputedStyle(document.querySelector('.letter')).backgroundColor") == "rgb(22, 26, 43)"
    assert "background-color: #0b6bcb" in (page.locator("a.button").get_attribute("style") or "")


def test_the_opened_menu_of_a_phone_is_accessible(
    site: str,
    new_page: Callable[..., Page],
    axe: Callable[[Page], list[str]],
    screens: Callable[[Page, str], None],
) -> None:
    page = new_page(390, reduced_motion="reduce")
    page.goto(site)
    settle(page)
    page.locator(".topbar > details > summary").click()
    screens(page, "shell-menu-390")

    assert axe(page) == []
