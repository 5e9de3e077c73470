"""How many parts a text message is sent in, which is what it costs (3GPP TS 23.038 and 23.040).

In the alphabet of GSM 7 bit one part holds 160 characters, and each of several 153, some characters counting twice. One
character outside it makes the whole text UCS-2: then 70 and 67 units of UTF-16. No character is torn in two.
"""

from dataclasses import dataclass

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ!\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Behind an escape, so two places each.
EXTENDED = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True)
class Size:
    """The alphabet, how long in its own units, and in how many parts."""

    encoding: str
    units: int
    segments: int


def measure(text: str) -> Size:
    """The size of this text message."""
    if set(text) <= BASIC | EXTENDED:
        return _sized("GSM-7", [2 if char in EXTENDED else 1 for char in text], 160, 153)
    return _sized("UCS-2", [2 if ord(char) > 0xFFFF else 1 for char in text], 70, 67)


def _sized(encoding: str, widths: list[int], alone: int, among: int) -> Size:
    units = sum(widths)
    if units <= alone:
        return Size(encoding, units, 1)
    segments, room = 1, among
    for width in widths:
        if width > room:
            segments, room = segments + 1, among
        room -= width
    return Size(encoding, units, segments)
