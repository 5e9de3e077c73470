"""A keyed permutation of the numbers below a * b: unique by construction, at a flat cost, and hard to guess.

An alternating Feistel network over Z_a x Z_b (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002)
with 8 rounds, as NIST SP 800-38G uses for FF3-1. Each round adds a keyed hash of one half to the other, which can be
undone, so no two numbers meet whatever the hash gives.
"""

from hashlib import blake2b

ROUNDS = 8


class Permutation:
    """Maps range(a * b) onto itself, one to one. `key`: up to 64 secret bytes."""

    def __init__(self, key: bytes, a: int, b: int) -> None:
        self.size = a * b
        self._a, self._b = a, b
        self._width = (max(a, b).bit_length() + 7) // 8
        self._rounds = [blake2b(bytes([number]), key=key, digest_size=16) for number in range(ROUNDS)]

    def __call__(self, number: int) -> int:
        """The number's image. Raises ValueError outside of range(size)."""
        if not 0 <= number < self.size:
            raise ValueError(f"{number} is not in range({self.size})")
        left, right = divmod(number, self._b)
        for index in range(0, ROUNDS, 2):
            left = (left + self._hash(index, right)) % self._a
            right = (right + self._hash(index + 1, left)) % self._b
        return left * self._b + right

    def undo(self, image: int) -> int:
        """The number that has this image. Raises ValueError outside of range(size)."""
        if not 0 <= image < self.size:
            raise ValueError(f"{image} is not in range({self.size})")
        left, right = divmod(image, self._b)
        for index in reversed(range(0, ROUNDS, 2)):
            right = (right - self._hash(index + 1, left)) % self._b
            left = (left - self._hash(index, right)) % self._a
        return left * self._b + right

    def _hash(self, index: int, half: int) -> int:
        state = self._rounds[index].copy()
        state.update(half.to_bytes(self._width, "big"))
        return int.from_bytes(state.digest(), "big")
