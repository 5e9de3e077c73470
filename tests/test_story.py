"""The whole loop as people live it: real processes, real mail, a real browser, from the score to the reward's code."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, sync_playwright

from amplify.delivery.models import Message
from tests.e2e.conftest import ARGUMENTS
from tests.installation import Installation, installed, shop, until
from tools import browser

PHONE = {"width": 390, "height": 844, "locale": "es-ES", "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5)"}
FRIEND = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/141.0.0.0 Mobile Safari/537.36"
CODES = "SPA-0001\nSPA-0002\nSPA-0003\n"


class Story:
    """What the chapters hand on to each other."""

    def __init__(self, install: Installation, landing: str, visits: list[str]) -> None:
        self.install, self.landing, self.visits = install, landing, visits
        host = urlsplit(landing).hostname or ""
        install.run("brands", "create", "bay", "--name", "Bay Hotels", "--host", host, "--landing-url", landing)
        made = install.run("users", "create", "--brand", "bay", "--email", "marta@bay.example", "--role", "marketer")
        self.password = made["password"]
        self.secret = install.run("keys", "create", "signing", "--brand", "bay", "--key", "shop")["secret"]
        self.api_key = install.run(
            "keys", "create", "api", "--brand", "bay", "--name", "story", "--scope", "leaderboards:read"
        )["key"]

    def board(self) -> list[dict[str, Any]]:
        status, body, _ = self.install.ask("GET", "/api/v1/leaderboard", Authorization=f"Bearer {self.api_key}")
        assert status == 200
        entries: list[dict[str, Any]] = body["rows"]
        return entries


@pytest.fixture
def story(new_database: Callable[[], str], tmp_path: Path) -> Iterator[Story]:
    with shop() as (landing, visits), installed(new_database(), tmp_path) as install:
        yield Story(install, landing, visits)


@pytest.fixture
def new_page() -> Iterator[Callable[..., Page]]:
    """new_page(**context options) opens a page in its own context. The browser ends with the test: while Playwright
    lives, it keeps an event loop in this thread, and no other test could leave an application context."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.provide(), args=ARGUMENTS)

        def new(width: int = 1280, height: int = 844, **options: Any) -> Page:
            return chromium.new_context(viewport={"width": width, "height": height}, **options).new_page()

        yield new
        chromium.close()


def test_from_a_score_to_the_reward_in_the_advocates_inbox(story: Story, new_page: Callable[..., Page]) -> None:
    share_url = ana_answers_and_is_asked_by_mail(story)
    an_hour_passes(story)
    code = she_shares_with_a_friend(new_page(**PHONE), share_url)
    a_machine_looks_at_the_link(story, code)
    click = a_friend_follows_it(story, new_page(user_agent=FRIEND), code)
    the_shop_tells_of_the_order(story, click)
    the_board_shows_her(story)
    a_marketer_starts_a_campaign(story, new_page(width=1280))
    the_reward_arrives(story)
    a_guest_answers_on_the_page(story, new_page(**PHONE))


def an_hour_passes(story: Story) -> None:
    """Since the mail was sent: who follows a link at the moment of the mail that leads to it is no person."""
    engine = story.install.engine()
    sent = sa.update(Message).where(Message.state == "sent")

    def passes() -> int:
        with engine.begin() as connection:
            return connection.execute(sent.values(sent_at=datetime.now(UTC) - timedelta(hours=1))).rowcount

    until(passes)
    engine.dispose()


def ana_answers_and_is_asked_by_mail(story: Story) -> str:
    answer = {
        "external_id": "stay-1",
        "given": 10,
        "comment": "Dormimos de maravilla.",
        "customer": {
            "email": "ana@guests.example",
            "name": "Ana",
            "locale": "es",
            "timezone": _where_it_is_noon(),
            "consent": True,
        },
        "location": "Málaga",
    }
    status, body, _ = story.install.post_signed("/in/bay/shop/responses", story.secret, answer)
    assert status == 201, body
    assert story.install.post_signed("/in/bay/shop/responses", story.secret, answer)[0] == 200
    mail = until(lambda: _mail_to(story, "ana@guests.example"))
    assert "Dormimos de maravilla." in _text(mail)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = re.search(r"http://127\.0\.0\.1:\d+/ask/\S+", _text(mail))
    assert link
    return link[0]


def _where_it_is_noon() -> str:
    """A zone far from its quiet hours, whenever the test runs."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def she_shares_with_a_friend(page: Page, share_url: str) -> str:
    page.goto(share_url)
    assert page.locator("html").get_attribute("lang") == "es"
    assert page.locator("textarea[name=words]").input_value() == "Dormimos de maravilla."
    page.locator("textarea[name=words]").fill("Dormimos de maravilla en Málaga.")
    with page.context.expect_event("request", lambda request: "wa.me" in request.url) as composer:
        page.locator("button[formaction$='/open/whatsapp']").click()
    text = unquote(parse_qs(urlsplit(composer.value.url).query)["text"][0])
    assert text.startswith("Dormimos de maravilla en Málaga.")
    found = re.search(r"/s/(\w+)", text)
    assert found
    return found[1]


def a_machine_looks_at_the_link(story: Story, code: str) -> None:
    status, body, headers = story.install.ask("GET", f"/s/{code}", User_Agent="WhatsApp/2.23.20.0")
    assert status == 200
    assert f'<meta property="og:url" content="{story.install.url}/s/{code}">' in body
    assert "no-store" in headers["cache-control"]


def a_friend_follows_it(story: Story, page: Page, code: str) -> str:
    page.goto(f"{story.install.url}/s/{code}")
    assert page.url.startswith(story.landing)
    (visit,) = [path for path in story.visits if "amplify_click" in path]
    return parse_qs(urlsplit(visit).query)["amplify_click"][0]


def the_shop_tells_of_the_order(story: Story, click: str) -> None:
    order = {
        "order_id": "B-1",
        "amount_minor": 24_000,
        "currency": "EUR",
        "occurred_at": datetime.now(UTC).isoformat(),
        "click_id": click,
    }
    assert story.install.post_signed("/in/bay/shop/conversions", story.secret, order)[0] == 201
    assert story.install.post_signed("/in/bay/shop/conversions", story.secret, order)[0] == 200
    assert story.install.post_signed("/in/bay/shop/conversions", "whsec_d3Jvbmc=", order)[0] == 401


def the_board_shows_her(story: Story) -> None:
    (entry,) = until(lambda: [e for e in story.board() if e["conversions"] == 1])
    assert (entry["rank"], entry["human_clicks"]) == (1, 1)
    assert "Ana" not in entry["advocate"]  # a pseudonym: she agreed to no name


def a_marketer_starts_a_campaign(story: Story, page: Page) -> None:
    page.goto(f"{story.install.url}/console/campaigns/new")
    page.fill("input[name=email]", "marta@bay.example")
    page.fill("input[name=password]", story.password)
    page.locator("main button[type=submit]").click()
    page.fill("input[name=name]", "Thank you")
    page.fill("input[name=landing_url]", story.landing)
    page.fill("input[name=audience_value]", "5")
    page.select_option("select[name=reward_type]", "code_pool")
    for language in ("en", "es"):
        page.fill(f"input[name=reward_name_{language}]", {"en": "A spa day", "es": "Un día de spa"}[language])
        page.fill(
            f"input[name=disclosure_{language}]",
            {"en": "I can win a reward. #ad", "es": "Puedo ganar. #publi"}[language],
        )
    page.fill("input[name=value]", "60.00")
    page.fill("input[name=budget]", "180.00")
    page.locator("main form button[type=submit]").last.click()
    page.locator("input[type=file]").set_input_files(
        {"name": "codes.csv", "mimeType": "text/csv", "buffer": CODES.encode()}
    )
    page.locator("form:has(input[type=file]) button[type=submit]").click()
    page.goto(story.install.url + _path_of_the_campaign(page, story))
    page.get_by_role("button", name="Dry run").click()
    assert "SPA" not in page.inner_text("main")  # codes are for advocates, not for the screen
    page.go_back()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Start now").click()
    until(lambda: "Live" in page.inner_text("main"))


def _path_of_the_campaign(page: Page, story: Story) -> str:
    page.goto(f"{story.install.url}/console/campaigns")
    return str(page.get_by_role("link", name="Thank you").first.get_attribute("href"))


def the_reward_arrives(story: Story) -> None:
    mail = until(lambda: _mail_to(story, "ana@guests.example", 1))
    text = _text(mail)
    assert len(re.findall(r"SPA-000[123]", text)) >= 1
    assert "Un día de spa" in text
    assert len(story.install.mails.mails) == 2


def a_guest_answers_on_the_page(story: Story, page: Page) -> None:
    page.goto(f"{story.install.url}/b/bay/survey/nps?score=9&lang=en")
    assert page.locator("input[name=score][value='9']").is_checked()
    page.locator("textarea[name=comment]").fill("Slept like a stone.")
    page.locator("main form button[type=submit]").click()
    page.wait_for_url("**/share/*")
    assert page.locator("textarea[name=words]").input_value() == "Slept like a stone."
    assert "I can win a reward. #ad" in page.inner_text("main")  # a rewarded campaign is live now


def _mail_to(story: Story, address: str, nth: int = 0) -> EmailMessage | None:
    mine = [mail for mail in story.install.mails.mails if address in str(mail["To"])]
    return mine[nth] if len(mine) > nth else None


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    content: str = body.get_content()
    return content
