"""The labelled requests: made again from their tables to the letter, and complete."""

import gzip

import pytest
from pydantic import ValidationError

from tools.clicks import report, scenes
from tools.clicks.families import HELD_OUT_OF, Family, families
from tools.clicks.replay import Judged
from tools.clicks.requests import FILE, Request, read, text_of


def test_the_set_is_what_its_tables_make() -> None:
    assert text_of(scenes.make()) == gzip.decompress(FILE.read_bytes()).decode()


def test_what_is_read_is_what_was_written() -> None:
    assert read() == scenes.make()


def test_every_family_says_where_it_is_from_and_has_a_name_of_its_own() -> None:
    found = families()
    assert all(family.source for family in found)
    assert len({family.name for family in found}) == len(found)


def test_a_family_of_three_is_held_out() -> None:
    held_out = [family for family in families() if family.part == "held out"]
    assert len(families()) / HELD_OUT_OF * 0.7 < len(held_out) < len(families()) / HELD_OUT_OF * 1.3


def test_a_misspelt_column_is_refused() -> None:
    with pytest.raises(ValidationError):
        Family.model_validate({"name": "x", "source": "x", "agents": ["x"], "lable": "bot"})


def _judged(label: str, verdict: str) -> Judged:
    return Judged(Request(0, 1, 1, "x", None, "GET", "", "", "", "", False, False, label, "f", "open"), verdict, "r")


def test_a_machine_is_caught_by_any_verdict_that_does_not_count_and_a_person_only_by_the_right_one() -> None:
    judged = [_judged("bot", "preview"), _judged("bot", "human"), _judged("scanner", "duplicate")]
    judged += [_judged("human", "human"), _judged("human", "duplicate"), _judged("return", "duplicate")]
    found = report.figures(judged)
    assert (found.machines, found.caught, found.people, found.lost) == (3, 1, 3, 1)
    assert (found.recall, found.loss) == (1 / 3, 1 / 3)
