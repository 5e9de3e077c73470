"""What the page scripts add, and that nothing is lost without them."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.serving import served
from tests.e2e.test_shell import compile_spanish, settle, small_app


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    locales = tmp_path_factory.mktemp("locales")
    compile_spanish(locales)
    with served(small_app(locales)) as address:
        yield address


def test_the_chosen_theme_is_there_before_the_next_page_is_painted(site: str, new_page: Callable[..., Page]) -> None:
    page = new_page(1280, color_scheme="light")
    page.goto(site)
    page.locator(".sidebar [data-theme-switch]").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    answer = page.request.get(f"{site}/customer").text()
    assert '<html lang="en" data-theme="dark">' in answer


def test_charts_follow_the_theme(site: str, new_page: Callable[..., Page]) -> None:
    page = new_page(1280, color_scheme="light", reduced_motion="reduce")
    page.goto(site)
    settle(page)
    bars = page.locator("[data-chart]").first.locator("svg").last
    before = bars.inner_html()
    page.locator(".sidebar [data-theme-switch]").click()
    page.wait_for_function(
        "before => document.querySelector('[data-chart] .chart-plot svg').innerHTML !== before", arg=before
    )


def test_a_tooltip_of_a_chart_needs_no_inline_style(
    site: str, new_page: Callable[..., Page], csp_violations: Callable[[Page], list[str]]
) -> None:
    page = new_page(1280, reduced_motion="reduce")
    refused = csp_violations(page)
    page.goto(site)
    settle(page)
    plot = page.locator(".chart-plot").nth(1)
    plot.scroll_into_view_if_needed()
    plot.hover()
    expect(plot).to_contain_text("Raw clicks")
    assert refused == []


def test_what_is_typed_is_counted_in_peoples_characters_and_shown(site: str, new_page: Callable[..., Page]) -> None:
    page = new_page(390)
    page.goto(f"{site}/customer")
    page.get_by_label("Your text").fill("👩‍👩‍👧 é")
    expect(page.locator("#left")).to_have_text("277")
    expect(page.locator("#preview-text")).to_have_text("👩‍👩‍👧 é")

    page.get_by_label("Your text").fill("x" * 281)
    expect(page.locator("#left")).to_have_attribute("data-over", "")

    page.get_by_label("Your text").fill("")
    expect(page.locator("#preview-text")).to_have_text("Your text")


def test_copying_takes_the_text_as_edited_and_says_so(site: str, new_page: Callable[..., Page]) -> None:
    page = new_page(390, permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{site}/customer")
    page.get_by_label("Your text").fill("my own words")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#said")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "my own words"


def test_the_phones_share_sheet_gets_the_edited_text(site: str, new_page: Callable[..., Page]) -> None:
    page = new_page(390)
    page.add_init_script("navigator.share = async (data) => { window.given = data; };")
    page.goto(f"{site}/customer")
    page.get_by_label("Your text").fill("my own words")
    page.get_by_role("button", name="More").click()
    assert page.evaluate("window.given") == {"text": "my own words"}


def test_a_score_is_given_by_keyboard_alone(site: str, new_page: Callable[..., Page]) -> None:
    page = new_page(390)
    page.goto(f"{site}/customer")
    page.locator("input[name=score][value='9']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**/customer?score=10")


def test_everything_a_finger_meets_is_at_least_44_pixels_high(site: str, new_page: Callable[..., Page]) -> None:
    page = new_page(390)
    page.goto(f"{site}/customer")
    small = page.evaluate(
        """[...document.querySelectorAll('button, a[role=button], .foot a, .nps-scale label, textarea')]
           .filter(e => e.offsetParent && e.getBoundingClientRect().height < 44)
           .map(e => e.outerHTML)"""
    )
    assert small == []


def test_without_javascript_menu_scale_and_figures_still_work(site: str, new_page: Callable[..., Page]) -> None:
    page = new_page(390, java_script_enabled=False)
    page.goto(site)
    page.locator(".topbar > details > summary").click()
    page.locator(".topbar nav summary").first.click()  # the first group of the menu
    expect(page.locator(".topbar").get_by_role("link", name="Campaigns")).to_be_visible()
    page.get_by_text("The figures as a table").first.click()
    expect(page.get_by_role("row", name="Delta Nova -7")).to_be_visible()
    expect(page.locator("[data-theme-switch]").first).to_be_hidden()

    page.goto(f"{site}/customer")
    page.locator("label", has=page.locator("input[value='10']")).click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/customer?score=10")


def test_the_language_link_keeps_the_rest_of_the_address(site: str, new_page: Callable[..., Page]) -> None:
    page = new_page(390)
    page.goto(f"{site}/customer?score=9")
    page.get_by_role("link", name="Español").click()
    page.wait_for_url("**/customer?score=9&lang=es")
    expect(page.get_by_role("heading", level=1)).to_have_text("Gracias por volar con nosotros.")
