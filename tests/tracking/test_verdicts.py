"""The rules alone: what an agent says, what a request says, who clicked."""

import json
from pathlib import Path

import pytest

from amplify.tracking.verdicts import Around, Verdict, is_machine, judge
from tests.tracking.world import CHROME, FACEBOOK, IPHONE, hit

AGENTS = json.loads((Path(__file__).parents[1] / "fixtures/tracking/agents.json").read_text())


@pytest.mark.parametrize("agent", AGENTS["preview"])
def test_a_preview_fetcher_is_told_from_people(agent: str) -> None:
    assert judge(hit(agent), counted_before=False).name == "preview"
    assert is_machine(hit(agent))


@pytest.mark.parametrize("agent", AGENTS["bot"])
def test_another_machine_is_a_bot(agent: str) -> None:
    assert judge(hit(agent), counted_before=False).name == "bot"
    assert is_machine(hit(agent))


@pytest.mark.parametrize("agent", AGENTS["human"])
def test_a_browser_and_an_in_app_browser_are_people(agent: str) -> None:
    assert judge(hit(agent), counted_before=False) == Verdict("human", "first-click")
    assert not is_machine(hit(agent))


def test_an_empty_agent_is_no_person() -> None:
    assert judge(hit("  "), counted_before=False) == Verdict("bot", "agent-empty")


def test_how_it_was_asked_goes_before_who_asked() -> None:
    assert judge(hit(method="HEAD"), counted_before=False) == Verdict("head", "method-head")
    assert judge(hit(FACEBOOK, method="HEAD"), counted_before=False).name == "head"
    for purpose in ("prefetch", "prefetch;anonymous-client-ip", "Prerender", "preview"):
        assert judge(hit(purpose=purpose), counted_before=False) == Verdict("prefetch", "purpose-header")


def test_a_machine_with_the_advocates_cookie_is_still_a_machine() -> None:
    assert judge(hit(FACEBOOK, is_own=True), counted_before=False).name == "preview"


def test_ones_own_click_is_not_a_duplicate_of_a_friends() -> None:
    assert judge(hit(CHROME, is_own=True), counted_before=True) == Verdict("self", "own-cookie")
    assert judge(hit(CHROME), counted_before=True) == Verdict("duplicate", "visitor-24h")


def test_a_mail_programs_own_view_is_a_person_and_a_program_without_an_engine_is_none() -> None:
    view = IPHONE.partition(" Version/")[0] + " Mobile/15E148"
    assert judge(hit(f"{view} Outlook-iOS/709.2226530.prod.iphone"), counted_before=False).name == "human"
    for agent in ("Outlook-iOS/709.2226530", "Mozilla/5.0", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "newthing"):
        assert judge(hit(agent), counted_before=False).name == "bot"
    assert judge(hit("newthing"), counted_before=False).rule == "agent-no-browser"
    assert judge(hit(f"{view} (see https://acme.example/why)"), counted_before=False).rule == "agent-address"


def test_how_a_visitor_came_is_looked_at_after_who_it_says_it_is() -> None:
    crowded = Around(links=5)
    assert judge(hit(CHROME), counted_before=True, around=crowded) == Verdict("scanner", "links-burst")
    assert judge(hit(FACEBOOK), counted_before=False, around=crowded).name == "preview"
    assert judge(hit(CHROME, is_own=True), counted_before=False, around=crowded).name == "self"
