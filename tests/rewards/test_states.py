"""The states of a push: one table, documented as it is, with a label for everybody in both languages."""

import re

import pytest
from flask import current_app, get_template_attribute
from sqlalchemy.orm import Session

from amplify.campaigns import models as campaigns
from amplify.core.errors import Conflict
from amplify.core.i18n import force_locale
from amplify.rewards import states
from amplify.rewards.models import Push

ALL = [*states.STATES, *campaigns.STATES]


def label(name: str, locale: str) -> str:
    with current_app.test_request_context(), force_locale(locale):
        html = str(get_template_attribute("partials/_badge.html", "state")(name))
    return re.sub(r"<[^>]+>", "", html).strip()


@pytest.mark.parametrize("name", ALL)
def test_every_state_has_a_label_in_both_languages(session: Session, name: str) -> None:
    english, spanish = label(name, "en"), label(name, "es")
    assert english[0].isupper()
    assert english.lower() == name
    assert spanish[0].isupper()
    assert spanish != english


@pytest.mark.parametrize("before", states.STATES)
@pytest.mark.parametrize("verb", states.MOVES)
def test_a_verb_leads_where_the_table_says_and_from_nowhere_else(verb: str, before: str) -> None:
    push, move = Push(state=before), states.MOVES[verb]
    if before in move.before:
        push.move(verb)
        assert push.state == move.after
    else:
        with pytest.raises(Conflict) as refused:
            push.move(verb)
        assert refused.value.rule == f"{verb}-from"
        assert push.state == before


def test_the_table_that_people_read_is_the_one_that_counts() -> None:
    lines = re.findall(r"^ *(\w+) +((?:\w+, )*\w+) +(\w+) {2,}\S", str(states.__doc__), re.MULTILINE)
    written = {verb: (tuple(before.split(", ")), after) for verb, before, after in lines if verb != "verb"}
    assert written == {verb: (move.before, move.after) for verb, move in states.MOVES.items()}


def test_every_state_can_be_reached() -> None:
    reached = {"earned", "held"} | {move.after for move in states.MOVES.values()}
    assert reached == set(states.STATES)
    assert {state for move in states.MOVES.values() for state in move.before} <= reached
