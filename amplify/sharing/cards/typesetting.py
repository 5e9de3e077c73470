"""Text into lines: each character with a font that knows it, words kept whole, the largest size that fits.

Right-to-left scripts: letters inside a word are Pillow's work (raqm), the order of words is done here, in the simple
form of UAX #9 that plain sentences need.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from PIL import ImageDraw

from amplify.sharing.cards import faces
from amplify.sharing.cards.faces import Weight
from amplify.sharing.wording import graphemes

# Widths are measured once at this size and scaled: a whole search of sizes then costs no further measuring.
REFERENCE = 100
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
# What follows a character without a shape of its own: joiners, variation selectors, skin tones, direction marks.
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff]")
# With more of a text's letters missing than this, the rest would not say what the person said.
MISSING_AT_MOST = 0.1
MIRROR = str.maketrans("()[]{}<>\u00ab\u00bb", ")(][}{><\u00bb\u00ab")
# Small letters are set on whole pixels, which makes a line up to this part wider than the scaled measure.
HINTED = 0.96
# A word too wide for a line of the smallest size is divided as if it were set this much larger.
DIVIDED_LARGER = 2


@dataclass(frozen=True)
class Block:
    """Lines of one size, ready to be drawn. `leading` is the distance of their baselines in pixels."""

    lines: tuple[str, ...]
    size: int
    weight: Weight
    leading: int

    @property
    def height(self) -> int:
        return self.leading * len(self.lines)

    @property
    def is_rtl(self) -> bool:
        return starts_rtl(" ".join(self.lines))


def drawable(text: str, weight: Weight = "bold") -> str:
    """The text as far as our fonts can draw it, on one line; "" when too many of its letters would be missing.

    A made-up emoji (a family, a skin tone) becomes its first part, an unknown one is left out.
    """
    shown: list[str] = []
    missing = letters = 0
    for grapheme in graphemes(" ".join(unicodedata.normalize("NFC", text).split())):
        kept = _known(grapheme, weight)
        is_letter = grapheme[0].isalnum()
        letters, missing = letters + is_letter, missing + (is_letter and not kept)
        shown.append(kept)
    if missing > letters * MISSING_AT_MOST:
        return ""
    return re.sub(r" (?=[,.;:!?\u2026](?:\s|$))", "", " ".join("".join(shown).split()))


def _known(grapheme: str, weight: Weight) -> str:
    visible = INVISIBLE.sub("", grapheme)
    if not visible or (faces.is_rtl(visible[0]) and not faces.can_shape()):
        return ""
    file = faces.file_for(visible[0], weight)
    if file is None:
        return " " if visible.isspace() else ""
    return visible[0] if faces.is_emoji(file) else "".join(c for c in visible if faces.file_for(c, weight))


def starts_rtl(text: str) -> bool:
    """Whether the first letter says that the text runs from right to left."""
    first = next((c for c in text if unicodedata.bidirectional(c) in ("L", "R", "AL")), "")
    return bool(first) and faces.is_rtl(first)


def _runs(text: str, weight: Weight) -> list[tuple[str, str]]:
    """(font file, characters), in the order of the text; spaces and marks stay with what stands before them."""
    files: list[str] = []
    for char in text:
        files.append(_file(char, weight, files[-1] if files else faces.chain(weight)[0]))
    pairs = groupby(zip(files, text, strict=True), key=lambda pair: pair[0])
    return [(file, "".join(char for _file, char in group)) for file, group in pairs]


def _file(char: str, weight: Weight, before: str) -> str:
    if char == " ":  # every font has one, though `coverage` does not tell
        return faces.chain(weight)[0] if faces.is_emoji(before) else before
    if unicodedata.combining(char) and ord(char) in faces.coverage(before):
        return before
    return faces.file_for(char, weight) or before


def width(text: str, weight: Weight, size: int = REFERENCE) -> float:
    """How wide a text is set, in pixels."""
    return sum(faces.face(file, size).getlength(part) for file, part in _runs(text, weight))


def wrap(widths: list[float], space: float, room: float) -> list[int]:
    """How many words stand on each line, by filling line after line; a word that is too wide has one for itself."""
    counts: list[int] = []
    used = 0.0
    for word in widths:
        if counts and used + space + word <= room:
            counts[-1] += 1
            used += space + word
        else:
            counts.append(1)
            used = word
    return counts


def _balanced(widths: list[float], space: float, room: float) -> list[int]:
    """The same number of lines, made as equally long as possible: no word stands alone at the end."""
    best = wrap(widths, space, room)
    low, high = max(widths), room
    while high - low > 2:
        middle = (low + high) / 2
        tried = wrap(widths, space, middle)
        low, high, best = (low, middle, tried) if len(tried) == len(best) else (middle, high, best)
    return best


def fit(
    text: str, room: tuple[int, int], sizes: Iterable[int], *, weight: Weight = "bold", leading: float = 1.22
) -> Block:
    """The text in the largest of these sizes (falling) that fits into `room` (width, height in pixels).

    Too long even for the smallest: as many whole words as fit, and an ellipsis. A word wider than a line of the
    smallest size is the only one that is ever divided.
    """
    sizes = list(sizes)
    words = _whole_words(text, room[0] * REFERENCE / sizes[-1], weight)
    widths, space = [width(word, weight) for word in words], width(" ", weight)
    for size in sizes:
        limit, leading_now = room[0] * REFERENCE / size, round(size * leading)
        counts = wrap(widths, space, limit)
        if max(widths) <= limit and len(counts) * leading_now <= room[1]:
            lines = _lines(words, _balanced(widths, space, limit))
            if all(width(line, weight, size) <= room[0] for line in lines):
                return Block(lines, size, weight, leading_now)
    lines = _lines(words, wrap(widths, space, limit * HINTED))
    return Block(_shortened(lines, room[1] // leading_now, limit * HINTED, weight), size, weight, leading_now)


def _lines(words: list[str], counts: list[int]) -> tuple[str, ...]:
    rest = iter(words)
    return tuple(" ".join(next(rest) for _ in range(count)) for count in counts)


def _shortened(lines: tuple[str, ...], most: int, limit: float, weight: Weight) -> tuple[str, ...]:
    """The first lines, the last of them in whole words with an ellipsis."""
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while " " in last and width(last + ELLIPSIS, weight) > limit:
        last = last.rpartition(" ")[0]
    return (*lines[: most - 1], last.rstrip(",;:.!? -\N{EN DASH}\N{EM DASH}") + ELLIPSIS)


def _whole_words(text: str, limit: float, weight: Weight) -> list[str]:
    """The words; one that is wider than `limit` comes in pieces."""
    words = []
    for word in text.split(" "):
        is_wide = width(word, weight) > limit
        words += _divided(word, limit * HINTED / DIVIDED_LARGER, weight) if is_wide else [word]
    return words


def _divided(word: str, limit: float, weight: Weight) -> list[str]:
    pieces = [""]
    for grapheme in graphemes(word):
        if pieces[-1] and width(pieces[-1] + grapheme, weight) > limit:
            pieces.append("")
        pieces[-1] += grapheme
    return pieces


def _in_reading_order(line: str, weight: Weight, rtl: bool) -> list[tuple[str, str]]:
    """The line's runs from left to right as they are seen: UAX #9 for words of one direction each."""
    if not any(faces.is_rtl(char) for char in line):
        return _runs(line, weight)
    parts = [
        (is_rtl, _runs("".join(token for _direction, token in group), weight))
        for is_rtl, group in groupby(_directed(line, rtl), key=lambda pair: pair[0])
    ]
    ordered = reversed(parts) if rtl else parts
    return [run for is_rtl, runs in ordered for run in (_mirrored(runs) if is_rtl else runs)]


def _directed(line: str, rtl: bool) -> list[tuple[bool, str]]:
    """Words and spaces, each with whether it runs from right to left; a space between two directions is the line's."""
    tokens = re.findall(r"\S+|\s+", line)
    own = [starts_rtl(token) if re.search(r"\w", token) else rtl for token in tokens]
    between = [own[at - 1] if own[at - 1 : at] == own[at + 1 : at + 2] else rtl for at in range(len(own))]
    return [(between[at] if token.isspace() else own[at], token) for at, token in enumerate(tokens)]


def _mirrored(runs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Runs of a right-to-left part. Pillow turns the letters itself; punctuation of a Latin font is turned here."""
    return [(file, text if any(map(faces.is_rtl, text)) else text[::-1].translate(MIRROR)) for file, text in runs[::-1]]


def draw_line(
    canvas: ImageDraw.ImageDraw, at: tuple[float, float], text: str, *, size: int, weight: Weight, fill: str, rtl: bool
) -> None:
    """Draw one line from `at` (left edge, baseline)."""
    x, y = at
    for file, run in _in_reading_order(text, weight, rtl):
        font = faces.face(file, size)
        canvas.text((x, y + (size * 0.02 if faces.is_emoji(file) else 0)), run, font=font, fill=fill, anchor="ls")
        x += font.getlength(run)


def draw_block(canvas: ImageDraw.ImageDraw, block: Block, left: int, top: int, *, room: int, fill: str) -> None:
    """Draw a block whose first line hangs from `top`; a right-to-left text stands at the right edge of `room`."""
    rtl = block.is_rtl
    for index, line in enumerate(block.lines):
        x: float = left + (room - width(line, block.weight, block.size) if rtl else 0)
        y = top + index * block.leading + block.leading // 2 + round(block.size * 0.36)
        draw_line(canvas, (x, y), line, size=block.size, weight=block.weight, fill=fill, rtl=rtl)
