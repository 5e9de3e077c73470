"""A form letter says, to the letter, what the same message says that was rendered for its reader alone."""

from typing import Any

import pytest
import time_machine
from apiflask import APIFlask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import meta
from sqlalchemy.orm import Session

from amplify import wiring
from amplify.brands.models import Brand
from amplify.core import paths
from amplify.delivery.form_letters import FormLetters
from amplify.delivery.models import Message
from amplify.delivery.render import Rendered, render, write
from tests.delivery.conftest import CONTEXT
from tests.tracking.world import NOON

# What the two kinds of mail are told of one reader; where one word is another kind of nothing, more is decided by it.
WORDS = st.one_of(
    st.none(),
    st.sampled_from(
        ["", "Ana", "  Ana ", "José Ñ.", "<b>", "a & b", 'say "hi"', "it's", "100 %", "%(brand)s", "{{ x }}", "=?x?="]
    ),
    st.text(max_size=12),
    st.from_regex(r"https://[a-z]{1,8}\.example/[a-z?=&%-]{0,12}", fullmatch=True),
)
RANKS = st.one_of(st.integers(0, 3), st.integers(0, 10**6))
REWARD: dict[str, Any] = {
    "claim": None, "ranked": 7, "reached": None, "reward_subject": "", "reward_text": "Show it\nat the till.",
    "disclosure": "#ad", "reward_name": "Coffee", "value_minor": 500, "currency": "EUR", "expires": "",
    "landing_url": "https://shop.example/", "is_test": False,
}  # fmt: skip


def a_message(number: int, template: str, context: dict[str, Any], brand: Brand, **more: Any) -> Message:
    said = {"locale": "es" if number % 2 else "en", "channel": "email", "is_marketing": True, "person": "customer:7"}
    return Message(
        id=number, brand_id=brand.id, template=template, context=context, address="a@b.example", **said | more
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(readers=st.lists(st.tuples(WORDS, WORDS, WORDS, RANKS), min_size=1, max_size=5))
def test_every_reader_gets_what_was_rendered_for_them(session: Session, brand: Brand, readers: list[Any]) -> None:
    letters = FormLetters()
    for number, (name, quote, link, rank) in enumerate(readers, 1):
        ask = a_message(number, "ask", CONTEXT | {"name": name, "quote": quote or "", "link": link or ""}, brand)
        reward = a_message(number, "reward", REWARD | {"code": name, "rank": rank, "ranked": 1 + number % 2}, brand)
        for message in (ask, reward):
            with time_machine.travel(NOON, tick=False):  # addresses say when they were signed
                assert letters.render(message, brand) == render(message, brand)


def test_one_form_serves_all_who_differ_in_their_own_words(
    session: Session, brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []

    def counted(template: str, channel: str, locale: str, context: dict[str, Any]) -> Rendered:
        rendered.append(template)
        return write(template, channel, locale, context)

    monkeypatch.setattr("amplify.delivery.form_letters.write", counted)
    letters = FormLetters()
    for number in range(2, 40, 2):
        letters.render(a_message(number, "reward", REWARD | {"code": f"CODE-{number}", "rank": number}, brand), brand)
    assert rendered == ["reward"]


def test_a_word_that_all_have_in_common_makes_a_new_form(brand: Brand) -> None:
    letters = FormLetters()
    for disclosure in ("#ad", "#anzeige", "#ad"):
        said = REWARD | {"code": "C-1", "rank": 2, "disclosure": disclosure}
        assert disclosure in letters.render(a_message(2, "reward", said, brand), brand).text


@pytest.mark.parametrize("template", wiring.OWN_WORDS)
def test_the_words_named_are_words_of_the_templates(app: APIFlask, template: str) -> None:
    """A misspelt one would make a form for each reader, and nobody would notice."""
    said: set[str] = set()
    for part in (paths.TEMPLATES / "messages" / template).iterdir():
        said |= meta.find_undeclared_variables(app.jinja_env.parse(part.read_text()))
    assert set(wiring.OWN_WORDS[template]) <= said
