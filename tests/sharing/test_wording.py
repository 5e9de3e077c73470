"""How long texts are, as people and networks count."""

import pytest

from amplify.sharing.wording import clean, graphemes, words_hash, x_weight


@pytest.mark.parametrize(
    ("text", "seen", "on_x"),
    [
        ("", 0, 0),
        ("café", 4, 4),
        ("cafe\u0301", 4, 4),
        ("👍🏽", 1, 2),
        ("👩‍👩‍👧‍👦!", 2, 3),
        ("🇪🇸🇲🇽", 2, 4),
        ("❤️", 1, 2),
        ("日本", 2, 4),
        ("नमस्ते", 4, 6),
        ("“¡Hola!” \u2013 ok", 13, 13),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", 1, 2),
    ],
)
def test_characters_are_counted_as_people_see_them_and_as_x_does(text: str, seen: int, on_x: int) -> None:
    assert len(list(graphemes(text))) == seen
    assert x_weight(text) == on_x


def test_cleaning_takes_out_what_is_no_text() -> None:
    assert clean(" a\r\nb\x00\ud800\x1b \n") == "a\nb"


def test_the_same_words_are_the_same_whatever_their_case_and_punctuation() -> None:
    assert words_hash("Great  breakfast!") == words_hash("great breakfast")
    assert words_hash("Great breakfast") != words_hash("Great dinner")
    assert words_hash("!!! 👍") == ""


def test_a_hostile_text_is_counted_in_no_time() -> None:
    assert len(list(graphemes("a\u0301" * 25_000))) == 25_000
