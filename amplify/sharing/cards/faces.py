"""The fonts of the card, and which of them draws which character.

Every .woff file of fonts/ is read (tools/vendor.toml brings them): Manrope for Latin, Greek and Cyrillic, Noto for
Hebrew, Arabic and emoji. What none of them knows is left out rather than drawn as an empty box.
"""

import struct
import threading
import unicodedata
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Literal

from PIL import ImageFont, features

Weight = Literal["bold", "medium"]

FONTS = Path(__file__).with_name("fonts")
# A face is looked for in this order: Latin first, and the rest has one weight only.
MANROPE = ("latin", "latin-ext", "vietnamese", "greek", "cyrillic", "cyrillic-ext")
OTHERS = ("noto-sans-hebrew-hebrew-700", "noto-sans-arabic-arabic-700", *(f"noto-emoji-{n}-700" for n in range(1, 11)))
WEIGHTS: dict[Weight, int] = {"bold": 700, "medium": 500}
# Emoji stand a little higher than letters of the same size; this brings them back to the line.
EMOJI_SCALE = 0.94

_local = threading.local()


def can_shape() -> bool:
    """Whether right-to-left scripts come out right: Pillow finds FriBiDi on the system or it does not."""
    return bool(features.check("raqm"))


def chain(weight: Weight) -> tuple[str, ...]:
    """The files that may draw a text of this weight, in order."""
    return tuple(f"manrope-{part}-{WEIGHTS[weight]}-normal.woff" for part in MANROPE) + tuple(
        f"{name}-normal.woff" for name in OTHERS
    )


def is_emoji(file: str) -> bool:
    return file.startswith("noto-emoji")


@lru_cache(maxsize=4096)
def file_for(char: str, weight: Weight) -> str | None:
    """The font file that draws this character; None if none does."""
    return next((file for file in chain(weight) if ord(char) in coverage(file)), None)


def face(file: str, size: int) -> ImageFont.FreeTypeFont:
    """The font in this size (pixels). Each thread has its own: FreeType's faces are not for sharing."""
    known: dict[tuple[str, int], ImageFont.FreeTypeFont] = _local.__dict__.setdefault("faces", {})
    if (file, size) not in known:
        if len(known) >= 100:
            known.clear()
        engine = ImageFont.Layout.RAQM if _needs_shaping(file) and can_shape() else ImageFont.Layout.BASIC
        pixels = round(size * EMOJI_SCALE) if is_emoji(file) else size
        known[file, size] = ImageFont.truetype(str(FONTS / file), pixels, layout_engine=engine)
    return known[file, size]


def _needs_shaping(file: str) -> bool:
    return "hebrew" in file or "arabic" in file


@lru_cache(maxsize=64)
def coverage(file: str) -> frozenset[int]:
    """The code points of a WOFF file that have a glyph of their own (W3C WOFF 1.0; OpenType cmap, formats 4 and 12)."""
    raw = (FONTS / file).read_bytes()
    table = _table(raw, b"cmap")
    found: set[int] = set()
    for index in range(struct.unpack(">H", table[2:4])[0]):
        offset = struct.unpack(">I", table[8 + 8 * index : 12 + 8 * index])[0]
        found |= _points(table[offset:])
    # Every Noto font brings the space; letters of another script must not be drawn with it.
    return frozenset(point for point in found if point > 0x20 or "latin-" in file)


def _table(raw: bytes, tag: bytes) -> bytes:
    for entry in range(struct.unpack(">H", raw[12:14])[0]):
        name, offset, packed, length, _sum = struct.unpack(">4sIIII", raw[44 + 20 * entry : 64 + 20 * entry])
        if name == tag:
            content = raw[offset : offset + packed]
            return content if packed == length else zlib.decompress(content)
    raise LookupError(f"the font has no table {tag!r}")


def _points(table: bytes) -> set[int]:
    kind = struct.unpack(">H", table[:2])[0]
    if kind == 12:
        groups = struct.iter_unpack(">III", table[16 : 16 + 12 * struct.unpack(">I", table[12:16])[0]])
        return {point for first, last, _glyph in groups for point in range(first, last + 1)}
    if kind != 4:
        return set()
    count = struct.unpack(">H", table[6:8])[0] // 2
    ends = struct.unpack(f">{count}H", table[14 : 14 + 2 * count])
    starts = struct.unpack(f">{count}H", table[16 + 2 * count : 16 + 4 * count])
    segments = zip(starts, ends, strict=True)
    return {point for first, last in segments for point in range(first, last + 1)} - {0xFFFF}


def is_rtl(char: str) -> bool:
    """A letter that is written from right to left."""
    return unicodedata.bidirectional(char) in ("R", "AL")
