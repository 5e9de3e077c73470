"""A brand gives one accent colour; this makes a palette of it that stays readable in light and in dark.

Contrast and luminance follow WCAG 2.2 (success criteria 1.4.3 and 1.4.11, "relative luminance").
"""

import re
from dataclasses import dataclass, fields
from functools import lru_cache

from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l

Rgb = tuple[int, int, int]

DEFAULT_ACCENT = "#3d4fe0"
# The grounds that accents stand on; the same values as in static/css/tokens.css.
LIGHT_PAGE, LIGHT_SURFACE = (244, 246, 251), (255, 255, 255)
DARK_PAGE, DARK_SURFACE, DARK_RAISED = (13, 16, 28), (22, 26, 43), (30, 35, 56)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)

# A little over the law's 4.5 and 3, so that rounding to 8 bits cannot fall below.
TEXT, EDGE = 4.6, 3.1


def parse(colour: str) -> Rgb:
    """`#rgb` or `#rrggbb` as three bytes. Raises Invalid("theme.accent", "colour")."""
    digits = colour.strip().removeprefix("#").lower()
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    if not re.fullmatch(r"[0-9a-f]{6}", digits):
        raise Invalid("theme.accent", "colour", _l("A colour is written as # and six hexadecimal digits."))
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def hexadecimal(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def luminance(colour: Rgb) -> float:
    """Relative luminance, 0 (black) to 1 (white)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast ratio, 1 (same) to 21 (black on white)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """`one` with `share` (0 to 1) of `other` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def readable_on(ground: Rgb) -> Rgb:
    """White or black, whichever reads better on this ground; one of them always has at least 4.58."""
    return WHITE if contrast(WHITE, ground) >= contrast(BLACK, ground) else BLACK


def until_readable(colour: Rgb, grounds: tuple[Rgb, ...], ratio: float) -> Rgb:
    """The colour, moved towards black or white only as far as it needs to reach `ratio` on every ground."""
    target = readable_on(grounds[0])
    for step in range(101):
        candidate = mix(colour, target, step / 100)
        if all(contrast(candidate, ground) >= ratio for ground in grounds):
            return candidate
    return target


@dataclass(frozen=True)
class Palette:
    """An accent in its uses. `edge` has 3:1 (lines, bars, focus), `text` 4.5:1, `soft` is a quiet ground for `text`."""

    accent: str
    accent_contrast: str
    accent_hover: str
    edge_light: str
    text_light: str
    soft_light: str
    edge_dark: str
    text_dark: str
    soft_dark: str

    def css(self) -> str:
        """The stylesheet that a brand's pages load: custom properties only."""
        lines = [f"  --brand-{f.name.replace('_', '-')}: {getattr(self, f.name)};" for f in fields(self)]
        return ":root {\n" + "\n".join(lines) + "\n}\n"


@lru_cache(256)  # each mail of a brand asks
def palette(accent: str | None = None) -> Palette:
    """The palette of an accent (`#rrggbb`), ours if there is none. Raises Invalid("theme.accent", "colour")."""
    base = parse(accent or DEFAULT_ACCENT)
    ink = readable_on(base)
    soft_light, soft_dark = mix(LIGHT_SURFACE, base, 0.09), mix(DARK_SURFACE, base, 0.2)
    light = (LIGHT_PAGE, LIGHT_SURFACE, soft_light)
    dark = (DARK_RAISED, DARK_SURFACE, DARK_PAGE, soft_dark)
    parts = (
        base,
        ink,
        mix(base, BLACK if ink == WHITE else WHITE, 0.14),
        until_readable(base, light, EDGE),
        until_readable(base, light, TEXT),
        soft_light,
        until_readable(base, dark, EDGE),
        until_readable(base, dark, TEXT),
        soft_dark,
    )
    return Palette(*map(hexadecimal, parts))
