"""Generated codes: all different, none guessable from another, and a typing error is found."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amplify.core.errors import Invalid
from amplify.rewards.patterns import ALPHABET, Pattern
from amplify.rewards.permutation import Permutation

PATTERNS = ["########", "THANKS-####-####", "A#B#C#D#E#F#G#H#I#J#", "####################"]
codes = st.builds(
    lambda text, number: (Pattern(text), Pattern(text).write(number % Pattern(text).capacity)),
    st.sampled_from(PATTERNS),
    st.integers(min_value=0, max_value=31**19),
)


@settings(deadline=None)
@given(codes)
def test_a_written_code_is_valid(made: tuple[Pattern, str]) -> None:
    pattern, code = made
    assert len(code) == len(pattern.text)
    assert pattern.is_valid(code)


def test_codes_that_were_given_stay_readable() -> None:
    """The spelling is fixed for ever: what stands in the shops' systems is read back by it."""
    pattern = Pattern("THANKS-####-####")
    assert pattern.write_all([0, 1, 31, 961, 27_512_614_110]) == [
        "THANKS-2222-2222", "THANKS-3222-222Y", "THANKS-2322-222X", "THANKS-2232-222W", "THANKS-ZZZZ-ZZZ6",
    ]  # fmt: skip


@settings(deadline=None)
@given(codes, st.data())
def test_one_wrong_character_is_found(made: tuple[Pattern, str], data: st.DataObject) -> None:
    pattern, code = made
    place = data.draw(st.integers(0, len(code) - 1))
    wrong = data.draw(st.sampled_from(ALPHABET + "01OIL-").filter(lambda char: char != code[place]))
    assert not pattern.is_valid(code[:place] + wrong + code[place + 1 :])


@settings(deadline=None)
@given(codes, st.data())
def test_two_swapped_characters_are_found_wherever_they_stand(made: tuple[Pattern, str], data: st.DataObject) -> None:
    pattern, code = made
    one, other = sorted(data.draw(st.lists(st.integers(0, len(code) - 1), min_size=2, max_size=2, unique=True)))
    swapped = list(code)
    swapped[one], swapped[other] = code[other], code[one]
    assert pattern.is_valid("".join(swapped)) == (code[one] == code[other])


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=32), st.integers(1, 40), st.integers(1, 40))
def test_a_permutation_meets_every_number_once(key: bytes, a: int, b: int) -> None:
    permute = Permutation(key, a, b)
    images = permute.images(range(permute.size))
    assert sorted(images) == list(range(permute.size))
    assert permute.numbers(images) == list(range(permute.size))
    assert permute.images([permute.size - 1]) == images[-1:]


def test_a_permutation_takes_no_number_from_outside() -> None:
    with pytest.raises(ValueError, match="range"):
        Permutation(b"key", 3, 3).images([9])


def test_a_hundred_thousand_codes_are_all_different_and_follow_no_order() -> None:
    pattern = Pattern("SPRING-####-####")
    permute = Permutation(b"k" * 32, *pattern.halves)
    made = [pattern.write(image) for image in permute.images(range(100_000))]
    assert len(set(made)) == len(made)
    rising = sum(one < other for one, other in itertools.pairwise(made))
    assert 49_000 < rising < 51_000
    # Neighbours differ in about 30 of 31 places of the eight: nothing of one number shows in the next.
    free = [code[7:].replace("-", "") for code in made]
    pairs = itertools.pairwise(free)
    alike = sum(a == b for one, other in pairs for a, b in zip(one, other, strict=True))
    assert alike / (99_999 * 8) == pytest.approx(1 / 31, rel=0.05)


def test_another_key_makes_other_codes() -> None:
    pattern = Pattern("########")
    one, other = (
        set(map(pattern.write, Permutation(key, *pattern.halves).images(range(1000)))) for key in (b"a", b"b")
    )
    assert len(one & other) < 3


@pytest.mark.parametrize(
    "text", ["#######", "#" * 21, "lower-####-####é", "", "THANKS", "####_####", "####%####", "A" * 60 + "########"]
)
def test_a_pattern_that_is_too_short_too_long_or_misspelt_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        Pattern.read(text)
    assert refused.value.field == "settings.pattern"


def test_patterns_that_could_make_the_same_code_are_told_apart() -> None:
    assert Pattern("A-########").overlaps(Pattern("#-########"))
    assert not Pattern("A-########").overlaps(Pattern("B-########"))
    assert not Pattern("########").overlaps(Pattern("#########"))
