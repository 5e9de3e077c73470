"""Drawn cards, kept: in memory for the next second, on disk for the next weeks, both bounded.

A card is found by what stands on it, so an edit of the words leads to another picture. The file is sealed with a key
made of the same content: when a person is erased, nothing is left that could open what they said, in no backup either.
"""

import hashlib
import hmac
import logging
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from amplify.core.seal import NONCE_BYTES
from amplify.sharing.cards.content import CardContent
from amplify.sharing.cards.drawing import render

MEMORY_BYTES = 24_000_000
DISK_BYTES = 200_000_000
KEEP_SECONDS = 30 * 86_400
# Between two looks at how much there is on disk; a process looks at its first card, too.
WRITES_BETWEEN_SWEEPS = 50

log = logging.getLogger(__name__)


class CardStore:
    """The cards of one installation. Safe to use from many threads; the folder may be shared by many processes."""

    def __init__(
        self,
        folder: Path,
        secret: str,
        *,
        draw: Callable[[CardContent], bytes] = render,
        memory_bytes: int = MEMORY_BYTES,
        disk_bytes: int = DISK_BYTES,
        sweep_every: int = WRITES_BETWEEN_SWEEPS,
    ) -> None:
        self._folder, self._secret, self._draw, self._sweep_every = folder, secret.encode(), draw, sweep_every
        self._memory_bytes, self._disk_bytes = memory_bytes, disk_bytes
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._lock, self._drawing = threading.Lock(), threading.Lock()
        self._size = self._writes = 0

    def picture(self, content: CardContent) -> bytes:
        """The card as a PNG file. Drawn once, however many ask for it at the same time."""
        if (known := self._remembered(content.key)) is not None:
            return known
        with self._drawing:
            found = self._remembered(content.key) or self._read(content)
            if found is None:
                found = self._draw(content)
                self._write(content, found)
            self._remember(content.key, found)
        return found

    def _remembered(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def _remember(self, key: str, picture: bytes) -> None:
        with self._lock:
            self._size += len(picture) - len(self._known.pop(key, b""))
            self._known[key] = picture
            while self._size > self._memory_bytes:
                self._size -= len(self._known.popitem(last=False)[1])

    def _file(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.card"

    def _cipher(self, content: CardContent) -> AESGCM:
        return AESGCM(hmac.digest(self._secret, f"amplify.card.{content.canonical}".encode(), hashlib.sha256))

    def _read(self, content: CardContent) -> bytes | None:
        file = self._file(content.key)
        try:
            sealed = file.read_bytes()
            picture = self._cipher(content).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
            os.utime(file)  # the least recently used go first
        except (OSError, InvalidTag, ValueError):  # not there, half there, of another key: it is drawn again
            return None
        return picture

    def _write(self, content: CardContent, picture: bytes) -> None:
        """Whole or not at all. A disk that takes nothing costs time, not the card."""
        file = self._file(content.key)
        half = file.with_suffix(f".{secrets.token_hex(4)}")
        nonce = secrets.token_bytes(NONCE_BYTES)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            half.write_bytes(nonce + self._cipher(content).encrypt(nonce, picture, None))
            half.replace(file)
            if self._writes % self._sweep_every == 0:
                self._sweep()
            self._writes += 1
        except OSError:
            log.warning("a card was not kept", exc_info=True)
            with suppress(OSError):
                half.unlink()

    def _sweep(self) -> None:
        """Delete what was not used for long, then the least recently used beyond the bound."""
        found = sorted(((file.stat(), file) for file in self._folder.glob("*/*")), key=lambda pair: pair[0].st_mtime)
        size, oldest = sum(stat.st_size for stat, _file in found), time() - KEEP_SECONDS
        for stat, file in found:
            if size <= self._disk_bytes and stat.st_mtime >= oldest:
                break
            file.unlink(missing_ok=True)
            size -= stat.st_size
