"""Draws a card: the brand's colour as ground, the words as large as they go, and below who said them.

Text is the accent's contrast colour. Ground and waves only ever move away from it, so that every letter keeps at least
the 4.5 : 1 of WCAG 2.2, wherever it stands.
"""

import zlib
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw

from amplify.core import colour
from amplify.core.colour import BLACK, WHITE, Rgb
from amplify.core.errors import Invalid
from amplify.sharing.cards.content import CardContent
from amplify.sharing.cards.faces import Weight, is_rtl
from amplify.sharing.cards.typesetting import Block, draw_block, draw_line, fit, width

WIDTH, HEIGHT = 1200, 630
MARGIN = 76
ROOM = WIDTH - 2 * MARGIN
# Shapes are drawn this much larger and reduced: Pillow draws their edges hard.
FINE = 3
SIZES = range(136, 24, -2)
# A long text reads better in the lighter weight.
LONG = 180
DISCLOSURE_SIZES = range(26, 17, -1)
FACE = 72
BOTTOM = HEIGHT - 60
# Contrast that the ground may be moved towards the text with, and still be called easy to read.
COMFORT = 9


class Paint(NamedTuple):
    """The colours of one card."""

    ground: Rgb
    deep: Rgb
    wave: Rgb
    ink: str
    soft: str
    accent: str


@lru_cache(maxsize=64)
def paint(accent: str) -> Paint:
    """The colours that an accent gives; ours if it is none."""
    try:
        base = colour.parse(accent or colour.DEFAULT_ACCENT)
    except Invalid:
        base = colour.parse(colour.DEFAULT_ACCENT)
    ink = colour.readable_on(base)
    away = BLACK if ink == WHITE else WHITE
    deep, wave = colour.mix(base, away, 0.22), colour.mix(base, away, 0.34)
    # Nearly white or nearly black has no room to move away; there is contrast to spare in the other direction.
    if colour.contrast(ink, colour.mix(base, ink, 0.16)) >= COMFORT:
        deep, wave = colour.mix(base, ink, 0.08), colour.mix(base, ink, 0.16)
    soft = colour.until_readable(colour.mix(base, ink, 0.78), (base, deep, wave), colour.TEXT)
    return Paint(base, deep, wave, *map(colour.hexadecimal, (ink, soft, base)))


def render(content: CardContent) -> bytes:
    """The card as a PNG file of 1200 x 630 pixels."""
    colours = paint(content.accent)
    image = _ground(content.accent).copy()
    canvas = ImageDraw.Draw(image)
    top = _draw_head(image, canvas, content, colours)
    bottom = _draw_foot(image, canvas, content, colours)
    weight: Weight = "bold" if len(content.words) <= LONG else "medium"
    block = fit(content.words, (ROOM, bottom - top), SIZES, weight=weight)
    draw_block(canvas, block, MARGIN, top + (bottom - top - block.height) // 2, room=ROOM, fill=colours.ink)
    file = BytesIO()
    # Runs only: half the time of a full search, for a file a tenth larger.
    image.save(file, "PNG", compress_level=2, compress_type=zlib.Z_RLE)
    return file.getvalue()


@lru_cache(maxsize=4)
def _ground(accent: str) -> Image.Image:
    """The colour, deeper towards the right, with the waves that stand for a recommendation that travels."""
    colours = paint(accent)
    image = Image.composite(
        Image.new("RGB", (WIDTH, HEIGHT), colours.deep), Image.new("RGB", (WIDTH, HEIGHT), colours.ground), _slope()
    )
    image.paste(colours.wave, (0, 0), _waves())
    return image


@lru_cache(maxsize=1)
def _slope() -> Image.Image:
    """0 at the left edge, 255 at the right."""
    return Image.linear_gradient("L").rotate(90).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


@lru_cache(maxsize=1)
def _waves() -> Image.Image:
    """Rings around the lower right corner, fainter the farther they went."""
    mask = Image.new("L", (WIDTH * 2, HEIGHT * 2))
    canvas = ImageDraw.Draw(mask)
    x, y = (WIDTH - 60) * 2, (HEIGHT + 40) * 2
    for step, radius in enumerate(range(1560, 0, -190)):
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), outline=70 + 20 * step, width=52)
    return mask.reduce(2)


@lru_cache(maxsize=8)
def _disc(size: int) -> Image.Image:
    mask = Image.new("L", (size * FINE, size * FINE))
    ImageDraw.Draw(mask).ellipse((0, 0, size * FINE - 1, size * FINE - 1), fill=255)
    return mask.reduce(FINE)


def _pill(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", (size[0] * FINE, size[1] * FINE))
    radius = min(size[1] // 2, 30) * FINE
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] * FINE - 1, size[1] * FINE - 1), radius, fill=255)
    return mask.reduce(FINE)


def _draw_head(image: Image.Image, canvas: ImageDraw.ImageDraw, content: CardContent, colours: Paint) -> int:
    """The quotation mark and the brand's name; a disclosure under them. Returns where the words may begin."""
    if content.is_quote:
        draw_line(canvas, (MARGIN - 8, 188), "\u201c", size=190, weight="bold", fill=colours.soft, rtl=False)
    mark = fit(content.wordmark, (ROOM - 160, 48), range(36, 21, -1))
    draw_block(canvas, mark, WIDTH - MARGIN - _widest(mark), 52, room=_widest(mark), fill=colours.ink)
    if not content.disclosure:
        return 132
    note = fit(content.disclosure, (ROOM - 48, 92), DISCLOSURE_SIZES, leading=1.3)
    size = (_widest(note) + 48, note.height + 16)
    image.paste(colours.ink, (MARGIN, 132), _pill(size))
    draw_block(canvas, note, MARGIN + 24, 140, room=size[0] - 48, fill=colours.accent)
    return 132 + size[1] + 16


def _draw_foot(image: Image.Image, canvas: ImageDraw.ImageDraw, content: CardContent, colours: Paint) -> int:
    """Who says so, and where it was. Returns where the words must end."""
    top = BOTTOM - FACE
    image.paste(colours.ink, (MARGIN, top), _disc(FACE))
    initials = _initials(content.name)
    x = MARGIN + FACE / 2 - width(initials, "bold", 28) / 2
    draw_line(canvas, (x, top + FACE / 2 + 10), initials, size=28, weight="bold", fill=colours.accent, rtl=False)
    left = MARGIN + FACE + 22
    room = WIDTH - MARGIN - left
    name = fit(content.byline, (room, 44), range(32, 19, -1))
    if not content.place:
        draw_block(canvas, name, left, top + (FACE - name.height) // 2, room=_widest(name), fill=colours.ink)
        return top - 28
    place = fit(content.place, (room, 36), range(25, 17, -1), weight="medium")
    draw_block(canvas, name, left, top - 2, room=_widest(name), fill=colours.ink)
    draw_block(canvas, place, left, top + 38, room=_widest(place), fill=colours.soft)
    return top - 28


def _widest(block: Block) -> int:
    return round(max(width(line, block.weight, block.size) for line in block.lines))


def _initials(name: str) -> str:
    """One or two letters for the face; a number is none."""
    return "".join(word[0].upper() for word in name.split()[:2] if word[0].isalpha() and not is_rtl(word[0]))
