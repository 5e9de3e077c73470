"""What a generated code looks like: "SPRING-####-####", each # one of 31 characters, the last one a check character.

The check character is a weighted sum modulo 31. 31 is a prime and all weights differ, so every single wrong character
and every swap of two different ones is found (the argument of ISBN-10, with 31 in place of 11).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l

# No 0 O, 1 I L: a code survives being read aloud. 31 of them: a prime, which the check character needs.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
BASE = len(ALPHABET)
PAIR = BASE**2
SPELLING = re.compile(r"[A-Z0-9-]*#[A-Z0-9#-]*")
# With 7 free characters (2.7e10 codes) a guess hits one of a million codes given out less than once in 27,000 tries.
# At most 20: the weights stay different modulo 31.
FEWEST, MOST = 8, 20
LONGEST = 60


@dataclass(frozen=True)
class Pattern:
    """A checked pattern; see `read`."""

    text: str

    @classmethod
    def read(cls, text: str, field: str = "settings.pattern") -> "Pattern":
        """The pattern, in capitals. Raises Invalid naming `field`."""
        text = text.strip().upper()
        if not SPELLING.fullmatch(text) or len(text) > LONGEST:
            raise Invalid(
                field, "pattern", _l("A pattern has capital letters, digits, hyphens and #, at most 60 together.")
            )
        if not FEWEST <= text.count("#") <= MOST:
            raise Invalid(field, "pattern-size", _l("A pattern has 8 to 20 times #, so that nobody guesses a code."))
        return cls(text)

    @cached_property
    def free(self) -> int:
        """Characters that carry the number; the check character is not among them."""
        return self.text.count("#") - 1

    @property
    def capacity(self) -> int:
        """How many different codes there are."""
        return int(BASE**self.free)

    @property
    def halves(self) -> tuple[int, int]:
        """The capacity as a product of two near-equal numbers, for the permutation."""
        left = self.free // 2
        return int(BASE**left), int(BASE ** (self.free - left))

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Finds codes of this spelling, whatever their check character."""
        return re.compile("".join(f"([{ALPHABET}])" if char == "#" else re.escape(char) for char in self.text))

    @property
    def like(self) -> str:
        """The same for SQL's LIKE (a little wider)."""
        return self.text.replace("#", "_")

    def write(self, number: int) -> str:
        """The code of a number below `capacity`."""
        return self.write_all([number])[0]

    def write_all(self, numbers: Iterable[int]) -> list[str]:
        """The codes of many numbers, in order."""
        pairs, ends = _spelt(self.text)
        codes = []
        for number in numbers:
            code, weighted = "", 0
            for pair in pairs:
                number, place = divmod(number, PAIR)
                text, weight = pair[place]
                code += text
                weighted += weight
            codes.append(code + ends[weighted % BASE])
        return codes

    def read_number(self, code: str) -> int | None:
        """The number this is the code of; None if it is spelt otherwise or its check character does not fit."""
        found = self.regex.fullmatch(code)
        if found is None:
            return None
        *values, check = (ALPHABET.index(char) for char in found.groups())
        if check_value(values) != check:
            return None
        number = 0
        for value in reversed(values):
            number = number * BASE + value
        return number

    def is_valid(self, code: str) -> bool:
        """Whether it is spelt so and its check character fits."""
        return self.read_number(code) is not None

    def overlaps(self, other: "Pattern") -> bool:
        """Whether one text could be a code of both."""
        return len(self.text) == len(other.text) and all(
            a == b or "#" in (a, b) for a, b in zip(self.text, other.text, strict=True)
        )


@lru_cache(maxsize=100)
def _spelt(text: str) -> tuple[list[list[tuple[str, int]]], list[str]]:
    """What a code is put together from: for each two free characters (or a last one) what their value is spelt, with
    the fixed text before them, and what it weighs; and the ends, by the remainder of all weights."""
    head, *fixed, end = text.split("#")
    befores, values = [head, *fixed], range(BASE)
    pairs = []
    for place in range(0, len(befores) - 1, 2):
        one, *other = befores[place : min(place + 2, len(befores) - 1)]
        weight = place + 2
        seconds = [(other[0] + ALPHABET[value], (weight + 1) * value) for value in values] if other else [("", 0)]
        firsts = [(one + ALPHABET[value], weight * value) for value in values]
        pairs.append([(a + b, more + even_more) for b, even_more in seconds for a, more in firsts])
    return pairs, [befores[-1] + ALPHABET[-rest % BASE] + end for rest in values]


def check_value(values: list[int]) -> int:
    """The value that makes the weighted sum a multiple of 31; the check character itself has weight 1."""
    return -sum(weight * value for weight, value in enumerate(values, 2)) % BASE
