"""The share page in a real browser: operable, under the strict policy, and really leading to the composers."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from apiflask import APIFlask
from playwright.sync_api import Page, expect

from amplify.app import create_app
from amplify.core import jobs
from amplify.core.db import Base, db
from amplify.core.settings import Settings
from amplify.sharing import outcomes
from amplify.sharing.models import Share
from amplify.sharing.outcomes import Figure
from amplify.sharing.tokens import Visit
from tests.e2e.serving import served
from tests.sharing.making import a_live_brand, a_visit, token_of

Given = TypeVar("Given")
COMMENT = "Best breakfast in town, and the staff remembered my daughter's name."


def aside(app: APIFlask, work: Callable[[], Given]) -> Given:
    """Work with the database in a thread of its own: the browser's driver keeps an event loop in this one."""

    def inside() -> Given:
        with app.app_context():
            return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(inside).result()


def prepare() -> None:
    Base.metadata.create_all(db.engine)
    jobs.create_tables(db.engine)


@pytest.fixture(scope="module")
def site(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[APIFlask, str]]:
    """The whole application, served, with a database that is kept between requests."""
    settings = Settings(env="test", database_url=new_database(), data_dir=tmp_path_factory.mktemp("data"))
    app = create_app(settings)
    aside(app, prepare)
    with served(app) as address:
        yield app, address
    aside(app, lambda: db.engine.dispose())


@pytest.fixture
def make(site: tuple[APIFlask, str], request: pytest.FixtureRequest) -> Callable[..., str]:
    """make(comment, rewarded=False, locale="en") gives the address of a new advocate's share page."""
    app, address = site
    counter = iter(range(1000))

    def new(comment: str = COMMENT, *, rewarded: bool = False, locale: str = "en", state: str = "live") -> str:
        slug = f"b{abs(hash(request.node.name)) % 10**8}x{next(counter)}"

        def make_it() -> str:
            brand = a_live_brand(db.session, slug, name="Casa Aurora", theme={"accent": "#8a3ffc"})
            visit: Visit = a_visit(db.session, brand, comment, customer={"locale": locale, "name": "Ana"})
            visit.campaign.is_rewarded, visit.campaign.state = rewarded, state
            token = token_of(visit)
            db.session.commit()
            return token

        return f"{address}/share/{aside(app, make_it)}"

    return new


def shares(app: APIFlask) -> list[Share]:
    return aside(app, lambda: list(db.session.query(Share).order_by(Share.id)))


def going_to(page: Page) -> list[str]:
    """Addresses outside that the browser wants to go to; none of them is resolved (see conftest)."""
    seen: list[str] = []
    page.context.on("request", lambda asked: None if "//127.0.0.1" in asked.url else seen.append(asked.url))
    return seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("locale", "rewarded"), [("en", False), ("es", True)])
def test_the_page_is_readable_and_operable_on_a_phone(
    make: Any, new_page: Any, axe: Any, csp_violations: Any, screens: Any, locale: str, rewarded: bool, scheme: str
) -> None:
    page = new_page(390, color_scheme=scheme, locale=locale)
    refused = csp_violations(page)
    page.goto(make(rewarded=rewarded, locale=locale))
    expect(page.locator("#words")).to_have_value(COMMENT)
    screens(page, f"share-{locale}-{scheme}")
    assert axe(page) == []
    assert refused == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.evaluate(
        """[...document.querySelectorAll("main button, main summary, main a[role=button]")]
           .filter(e => e.offsetParent && e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"""
    )
    assert small == []  # WCAG 2.5.8: targets of 24 px at least


def test_two_taps_lead_to_the_composer_with_the_own_words(
    make: Any, new_page: Any, csp_violations: Any, site: Any
) -> None:
    page = new_page(390)
    refused, seen = csp_violations(page), going_to(page)
    page.goto(make())
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="WhatsApp").click()
    opened.value.wait_for_url(re.compile("wa.me|chrome-error"), wait_until="commit")
    assert [url for url in seen if url.startswith("https://wa.me/?text=Best%20breakfast")]
    assert refused == []
    last = shares(site[0])[-1]
    assert (last.state, last.text) == ("opened", COMMENT)
    expect(page.locator("#words")).to_be_visible()  # the share page stays


def test_a_channel_of_the_device_is_not_stopped_by_the_policy(
    make: Any, new_page: Any, csp_violations: Any, site: Any
) -> None:
    page = new_page(390)
    refused = csp_violations(page)
    page.goto(make())
    before = len(shares(site[0]))
    with page.expect_response(lambda r: r.url.endswith("/open/sms")) as answer:
        page.get_by_role("button", name="SMS").click(no_wait_after=True)
    assert answer.value.headers["location"].startswith("sms:?&body=Best%20breakfast")
    assert len(shares(site[0])) == before + 1
    assert not [line for line in refused if "form-action" in line or "Content Security" in line]


def test_a_text_that_is_too_long_comes_back_whole(make: Any, new_page: Any, axe: Any, screens: Any) -> None:
    page = new_page(390, java_script_enabled=False)
    page.goto(make())
    long = "It was lovely. " * 40
    page.locator("#words").fill(long)
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="X", exact=True).click()
    again = opened.value
    again.wait_for_load_state()
    expect(again.get_by_role("alert")).to_contain_text("too long for X")
    assert again.locator("#words").input_value().strip() == long.strip()
    screens(again, "share-too-long")


def test_the_counter_counts_what_is_left(make: Any, new_page: Any) -> None:
    page = new_page(390)
    page.goto(make())
    page.locator("#words").fill("👩‍👩‍👧!")
    room = int(page.locator("#words").get_attribute("data-count"))
    expect(page.locator("#room")).to_have_text(str(room - 2))


def test_the_picture_is_drawn_anew_when_typing_rests(make: Any, new_page: Any, csp_violations: Any) -> None:
    page = new_page(390)
    refused = csp_violations(page)
    page.goto(make())
    with page.expect_response(lambda r: r.url.endswith("/card.png?lang=en") and r.request.method == "POST"):
        page.locator("#words").fill("Entirely other words")
    expect(page.locator("#card")).to_have_attribute("src", re.compile("^data:image/png"))
    expect(page.locator("#card")).to_have_js_property("naturalWidth", 1200)
    assert refused == []


def test_copying_the_link_is_recorded_without_leaving_the_page(make: Any, new_page: Any, site: Any) -> None:
    page = new_page(390, permissions=["clipboard-read", "clipboard-write"])
    address = make()
    page.goto(address)
    before = len(shares(site[0]))
    with page.expect_response(lambda r: r.url.endswith("/open/copy")):
        page.get_by_role("button", name="Copy link").click()
    assert "/s/" in page.evaluate("navigator.clipboard.readText()")
    assert page.url == address
    assert len(shares(site[0])) == before + 1


def test_the_phones_own_sheet_gets_text_disclosure_and_link(make: Any, new_page: Any, site: Any) -> None:
    page = new_page(390)
    page.add_init_script("navigator.share = async (data) => { window.given = data; }")
    page.goto(make(rewarded=True))
    with page.expect_response(lambda r: r.url.endswith("/open/sheet")):
        page.get_by_role("button", name="Choose an app").click()
    given = page.evaluate("window.given")
    assert given["text"] == f"Ad: I may get a reward.\n\n{COMMENT}"
    assert "/s/" in given["url"]


def test_without_javascript_the_link_and_the_code_have_pages(make: Any, new_page: Any, axe: Any, screens: Any) -> None:
    page = new_page(390)
    address = make(rewarded=True)
    page.goto(address)
    page.get_by_role("button", name="QR code").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Let them scan it")
    page.wait_for_function("document.querySelector('.qr img').naturalWidth > 100")
    screens(page, "share-qr")
    assert axe(page) == []
    plain = new_page(390, java_script_enabled=False)
    plain.goto(address)
    expect(plain.get_by_role("button", name="Choose an app")).to_be_hidden()
    plain.get_by_role("button", name="Copy link").click()
    expect(plain.get_by_label("Link", exact=True)).to_have_value(re.compile("/s/"))


@pytest.mark.parametrize("state", ["paused", "ended", "stopped"])
def test_a_campaign_that_takes_no_shares_explains_itself(
    make: Any, new_page: Any, axe: Any, screens: Any, state: str
) -> None:
    page = new_page(390)
    page.goto(make(state=state))
    screens(page, f"share-{state}")
    assert page.locator("textarea").count() == 0
    assert axe(page) == []


def test_what_happened_stands_below_after_sharing(make: Any, new_page: Any, axe: Any, screens: Any) -> None:
    sources = list(outcomes._sources)
    outcomes.wire(lambda _s, _a: [Figure("People who followed it", 3, "of 12 requests"), Figure("Purchases", 1)])
    page = new_page(390)
    address = make()
    page.goto(address)
    with page.context.expect_page():
        page.get_by_role("button", name="Bluesky").click()
    page.goto(address)
    outcomes.wire(*sources)
    expect(page.get_by_role("heading", name="What happened with your link")).to_be_visible()
    page.get_by_text("How you appear there").click()
    screens(page, "share-afterwards")
    assert axe(page) == []


def test_the_privacy_page_and_the_decline_page_are_accessible(
    make: Any, new_page: Any, axe: Any, csp_violations: Any, screens: Any
) -> None:
    page = new_page(390)
    refused = csp_violations(page)
    address = make()
    page.goto(address)
    page.get_by_role("link", name="How this works").click()
    screens(page, "share-privacy")
    assert axe(page) == []
    page.goto(address)
    page.get_by_role("button", name="No, thanks").click()
    screens(page, "share-declined")
    assert axe(page) == []
    assert refused == []


def test_the_page_on_a_desk(make: Any, new_page: Any, screens: Any) -> None:
    page = new_page(1280)
    page.goto(make(rewarded=True))
    screens(page, "share-desk")
    expect(page.get_by_text("Ad: I may get a reward.").first).to_be_visible()
