"""The words people share: how long they are as networks count, and whether somebody else already used them."""

import re
import unicodedata
from collections.abc import Iterator

from amplify.core.tokens import digest

ZERO_WIDTH_JOINER = "\u200d"
NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# X counts these ranges as one and everything else as two (twitter-text configuration 3).
X_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
EMOJI = re.compile("[\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]")
WORD = re.compile(r"\w+")


def clean(text: str) -> str:
    """The text without control characters and lone surrogates, lines ended by a newline, no blank edges, NFC."""
    text = NOT_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return unicodedata.normalize("NFC", text).strip()


def _continues(before: str, char: str) -> bool:
    """Whether this character belongs to the one a person sees before it (UAX #29, GB9, GB11; flags apart)."""
    is_mark = unicodedata.category(char) in ("Mn", "Me", "Mc")
    is_skin_tone = "\U0001f3fb" <= char <= "\U0001f3ff"
    is_tag = "\U000e0020" <= char <= "\U000e007f"
    joined = before[-1] == ZERO_WIDTH_JOINER
    return is_mark or is_skin_tone or is_tag or joined or char == ZERO_WIDTH_JOINER or before + char == "\r\n"


def _is_flag_half(text: str) -> bool:
    return len(text) == 1 and "\U0001f1e6" <= text <= "\U0001f1ff"


def graphemes(text: str) -> Iterator[str]:
    """The characters as people see them: letters with their marks, whole emoji, whole flags.

    Conjoining Hangul jamo and Indic conjuncts count one by one: a text is never taken for shorter than it is.
    """
    current = ""
    for char in text:
        if current and (_continues(current, char) or (_is_flag_half(current) and _is_flag_half(char))):
            current += char
            continue
        if current:
            yield current
        current = char
    if current:
        yield current


def x_weight(text: str) -> int:
    """Length as X counts it: two for an emoji of any make-up and for most scripts of East Asia, one for the rest."""
    total = 0
    for shown in graphemes(unicodedata.normalize("NFC", text)):
        is_light = all(any(low <= ord(char) <= high for low, high in X_LIGHT) for char in shown)
        total += (len(shown) if is_light else 2) if not EMOJI.search(shown) else 2
    return total


def words_hash(text: str) -> str:
    """Equal for texts with the same words, whatever their case, spaces and punctuation; "" for none."""
    words = WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return digest(" ".join(words)) if words else ""
