"""Links, leaderboard and the preview card in a real browser: readable, operable, under the strict policy."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from apiflask import APIFlask
from playwright.sync_api import Page

from amplify.accounts.services import create_user
from amplify.app import create_app
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.core.tokens import Signer
from amplify.sharing.services import show_name
from amplify.sharing.tokens import PURPOSE, share_page_token
from tests.client import Client
from tests.e2e.serving import served
from tests.e2e.test_share_page import aside, prepare
from tests.leaderboards.scene import advocates_with, catch_up
from tests.leaderboards.test_services import convert, refund, share
from tests.tracking.world import FACEBOOK, click, make_world

PHONE, DESK = 390, 1280


@pytest.fixture(scope="module")
def site(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[APIFlask, str]]:
    """The whole application with a board of sixteen."""
    settings = Settings(env="test", database_url=new_database(), data_dir=tmp_path_factory.mktemp("data"))
    app = create_app(settings)
    app.test_client_class = Client
    aside(app, prepare)
    aside(app, populate)
    with served(app) as address:
        yield app, address
    aside(app, lambda: db.engine.dispose())


def populate() -> None:
    """Sixteen advocates; the thirteenth of them has a refunded order, a machine's and an own click."""
    world = make_world(db.session, "aurora")
    world.brand.name, world.brand.theme = "Casa Aurora", {"accent": "#8a3ffc"}
    world.location("madrid")
    world.business_line("rooms")
    advocates = advocates_with(world, *range(16, 0, -1))
    show_name(world.session, advocates[1], "Nadia K.")
    mine = world.link(advocates[12], "whatsapp")
    click(world, mine, visitor=40, agent=FACEBOOK)
    click(world, mine, visitor=41, is_own=True)
    refund(world, convert(world, mine, "A"), mine)
    share(world, mine)
    convert(world, world.link(advocates[0], "email"), "B")
    catch_up(world)
    create_user(world.session, world.brand, email="bea@aurora.example", role="admin", password="correct horse 9!")
    db.session.commit()


def token(site: tuple[APIFlask, str], place: int) -> str:
    app, _ = site

    def make() -> str:
        from amplify.sharing.models import Advocate, ShareLink

        advocate = db.session.query(Advocate).order_by(Advocate.id).all()[place - 1]
        campaign = db.session.query(ShareLink).filter_by(advocate_id=advocate.id).first()
        assert campaign is not None
        signer = Signer(app.extensions["amplify"].settings.secret, PURPOSE)
        return share_page_token(signer, advocate, None, campaign.campaign_id)

    return aside(app, make)


def sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/login")
    page.fill("input[name=email]", "bea@aurora.example")
    page.fill("input[name=password]", "correct horse 9!")
    page.click("main [type=submit]")
    page.wait_for_url("**/console**")


def check(page: Page, width: int, axe: Any, refused: list[str]) -> None:
    assert axe(page) == []
    assert refused == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "es"])
def test_an_advocate_reads_the_board_and_the_reasons_on_a_phone(
    site: tuple[APIFlask, str], new_page: Any, axe: Any, csp_violations: Any, screens: Any, locale: str, scheme: str
) -> None:
    page = new_page(PHONE, color_scheme=scheme, locale=locale)
    refused = csp_violations(page)
    page.goto(f"{site[1]}/board/{token(site, 13)}")
    assert page.locator("li.mine").count() == 1
    screens(page, f"board-{locale}-{scheme}")
    check(page, PHONE, axe, refused)
    page.click("a[href$='/why']")
    page.wait_for_url("**/why")
    screens(page, f"why-{locale}-{scheme}")
    check(page, PHONE, axe, refused)
    page.click("a[href$='/why?board=30']")
    page.wait_for_url("**/why?board=30")
    screens(page, f"why-30-{locale}-{scheme}")
    check(page, PHONE, axe, refused)
    page.click("a[href*='verdict=preview']")
    page.wait_for_url("**/why/list**")
    screens(page, f"why-list-{locale}-{scheme}")
    check(page, PHONE, axe, refused)
    page.click("a[href*='/why/click:']")
    page.wait_for_url("**/why/click:*")
    screens(page, f"why-one-{locale}-{scheme}")
    check(page, PHONE, axe, refused)
    if page.locator("textarea").count():  # the first of the four tells, the others read what was told
        page.fill("textarea", "This was my friend, not a machine.")
        page.click("main [type=submit]")
    else:
        page.click("a[href$='/why']")
    page.wait_for_url("**/why**")
    assert page.locator("#appeals").count() == 1
    screens(page, f"why-told-{locale}-{scheme}")
    check(page, PHONE, axe, refused)


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("locale", ["en", "es"])
def test_staff_read_links_and_leaderboard(
    site: tuple[APIFlask, str], new_page: Any, axe: Any, csp_violations: Any, screens: Any, locale: str, width: int
) -> None:
    page = new_page(width, locale=locale)
    sign_in(page, site[1])
    refused = csp_violations(page)
    for name in ("leaderboard", "leaderboard/rates", "leaderboard/scoring", "links"):
        page.goto(f"{site[1]}/console/{name}?lang={locale}")
        screens(page, f"console-{name.replace('/', '-')}-{locale}-{width}")
        check(page, width, axe, refused)
    page.click("table.data tbody th a")
    page.wait_for_url("**/console/links/*")
    screens(page, f"console-link-{locale}-{width}")
    check(page, width, axe, refused)


def test_a_person_taken_for_a_machine_can_still_go_on(site: tuple[APIFlask, str], new_page: Any, axe: Any) -> None:
    app, address = site

    def code() -> str:
        from amplify.sharing.models import ShareLink

        return str(db.session.query(ShareLink).first().code)  # type: ignore[union-attr]

    page = new_page(PHONE, user_agent=FACEBOOK)
    page.route("https://shop.example/**", lambda route: route.fulfill(body="the shop"))
    with page.expect_request("https://shop.example/landing**") as led:
        page.goto(f"{address}/s/{aside(app, code)}", wait_until="commit")
    assert "amplify_click=" in led.value.url
