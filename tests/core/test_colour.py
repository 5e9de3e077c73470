"""Any accent a brand may choose gives a palette that people can read, in light and in dark."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amplify.core import colour, paths
from amplify.core.errors import Invalid

BYTE = st.integers(0, 255)


@given(red=BYTE, green=BYTE, blue=BYTE)
def test_every_accent_gives_readable_text_and_visible_edges(red: int, green: int, blue: int) -> None:
    accent = colour.hexadecimal((red, green, blue))
    found = colour.palette(accent)
    parsed = {name: colour.parse(value) for name, value in vars(found).items()}

    assert found.accent == accent
    assert colour.contrast(parsed["accent"], parsed["accent_contrast"]) >= 4.5
    assert colour.contrast(parsed["accent_hover"], parsed["accent_contrast"]) >= 4.5
    for ground in (colour.LIGHT_PAGE, colour.LIGHT_SURFACE, parsed["soft_light"]):
        assert colour.contrast(parsed["text_light"], ground) >= 4.5
        assert colour.contrast(parsed["edge_light"], ground) >= 3
    for ground in (colour.DARK_PAGE, colour.DARK_SURFACE, colour.DARK_RAISED, parsed["soft_dark"]):
        assert colour.contrast(parsed["text_dark"], ground) >= 4.5
        assert colour.contrast(parsed["edge_dark"], ground) >= 3


def test_an_accent_that_reads_already_is_left_as_it_is() -> None:
    assert colour.palette("#3d4fe0").text_light == "#3d4fe0"
    assert colour.palette("#ffd400").text_dark == "#ffd400"


@pytest.mark.parametrize(("one", "other", "ratio"), [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48)])
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert colour.contrast(colour.parse(one), colour.parse(other)) == pytest.approx(ratio, abs=0.005)


def test_short_colours_and_capitals_are_read() -> None:
    assert colour.parse("#F0a") == colour.parse("#ff00aa") == (255, 0, 170)


@pytest.mark.parametrize("text", ["", "red", "#12", "#12345g", "#fff;}body{display:none", "url(x)", "#١٢٣٤٥٦"])
def test_anything_but_a_colour_is_refused_by_field_and_rule(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        colour.palette(text or " ")
    assert (refused.value.field, refused.value.rule) == ("theme.accent", "colour")


def test_the_stylesheet_defaults_are_what_our_own_accent_gives() -> None:
    tokens = (paths.STATIC / "css" / "tokens.css").read_text()
    declared = dict(re.findall(r"(--brand-[a-z-]+): ([^;]+);", tokens))
    assert declared == dict(re.findall(r"(--brand-[a-z-]+): ([^;]+);", colour.palette().css()))


def test_the_grounds_are_those_of_the_stylesheet() -> None:
    light, dark = (dict(re.findall(r"--(page|surface|raised): (#[0-9a-f]{6});", block)) for block in _schemes()[:2])
    assert [colour.parse(light[name]) for name in ("page", "surface")] == [colour.LIGHT_PAGE, colour.LIGHT_SURFACE]
    assert [colour.parse(dark[name]) for name in ("page", "surface", "raised")] == [
        colour.DARK_PAGE,
        colour.DARK_SURFACE,
        colour.DARK_RAISED,
    ]


def test_dark_by_choice_and_dark_by_device_look_the_same() -> None:
    _light, chosen, by_device = _schemes()
    assert chosen.split() == by_device.split()


def _schemes() -> list[str]:
    """The declarations of the light, the chosen dark and the device's dark scheme."""
    tokens = (paths.STATIC / "css" / "tokens.css").read_text()
    return re.findall(r"\{\s*(color-scheme: [^}]*)\}", tokens)
