"""A keyed permutation of the numbers below a * b: unique by construction, at a flat cost, and hard to guess.

An alternating Feistel network over Z_a x Z_b (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002)
with 8 rounds and AES as its round function, as NIST SP 800-38G has them for FF3-1. Each round adds a keyed number of
one half to the other, which can be undone, so no two numbers meet whatever AES gives.
"""

import struct
from collections.abc import Sequence
from hashlib import blake2b

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

ROUNDS = 8


class Permutation:
    """Maps range(a * b) onto itself, one to one. `key`: up to 64 secret bytes. Many at once cost little each."""

    def __init__(self, key: bytes, a: int, b: int) -> None:
        self.size = a * b
        self._a, self._b = a, b
        # Each block stands for itself here (a number that is looked up), so no mode may tie it to others.
        self._aes = Cipher(AES(blake2b(key=key, digest_size=32).digest()), ECB())  # noqa: S305

    def images(self, numbers: Sequence[int]) -> list[int]:
        """The numbers' images, in order. Raises ValueError outside of range(size)."""
        (left, right), a, b = self._halves(numbers), self._a, self._b
        for index in range(0, ROUNDS, 2):
            left = [(one + more) % a for one, more in zip(left, self._keyed(index, right), strict=True)]
            right = [(one + more) % b for one, more in zip(right, self._keyed(index + 1, left), strict=True)]
        return [high * b + low for high, low in zip(left, right, strict=True)]

    def numbers(self, images: Sequence[int]) -> list[int]:
        """The numbers that have these images. Raises ValueError outside of range(size)."""
        left, right = self._halves(images)
        for index in reversed(range(0, ROUNDS, 2)):
            right = [(one - more) % self._b for one, more in zip(right, self._keyed(index + 1, left), strict=True)]
            left = [(one - more) % self._a for one, more in zip(left, self._keyed(index, right), strict=True)]
        return [high * self._b + low for high, low in zip(left, right, strict=True)]

    def _halves(self, numbers: Sequence[int]) -> tuple[list[int], list[int]]:
        if outside := [number for number in numbers if not 0 <= number < self.size]:
            raise ValueError(f"{outside[0]} is not in range({self.size})")
        return [number // self._b for number in numbers], [number % self._b for number in numbers]

    def _keyed(self, index: int, halves: list[int]) -> Sequence[int]:
        """A 64-bit number for each half that only the key tells: AES of the round and the half."""
        blocks = [index] * (2 * len(halves))
        blocks[1::2] = halves
        spelt = struct.Struct(f"<{len(blocks)}Q")
        return spelt.unpack(self._aes.encryptor().update(spelt.pack(*blocks)))[::2]
