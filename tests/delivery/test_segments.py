"""How many parts a text message takes, by the tables of 3GPP TS 23.038."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amplify.delivery.segments import BASIC, measure


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        # An escape and its character stay together: 76 of them fit into 153 places, not 76.5.
        ("€" * 153, "GSM-7", 306, 3),
        ("¡Ñandú!", "UCS-2", 7, 1),
        ("¿Señor Gómez?".replace("ó", "ò"), "GSM-7", 13, 1),
        ("á" * 70, "UCS-2", 70, 1),
        ("á" * 71, "UCS-2", 71, 2),
        ("á" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        # A pair of UTF-16 stays together: 33 of them fit into 67 units.
        ("😀" * 67, "UCS-2", 134, 3),
    ],
)
def test_the_size_of_a_text(text: str, encoding: str, units: int, segments: int) -> None:
    size = measure(text)
    assert (size.encoding, size.units, size.segments) == (encoding, units, segments)


@given(st.text(alphabet=sorted(BASIC), max_size=1000))
def test_plain_text_takes_as_many_parts_as_its_length_says(text: str) -> None:
    expected = 1 if len(text) <= 160 else -(-len(text) // 153)
    assert measure(text).segments == expected


def test_the_alphabet_is_whole() -> None:
    assert len(BASIC) == 127  # 128 places, one of which is the escape
