"""Codes, keys and signed tokens: what is public and short, what is secret and long, and how each is checked."""

import hashlib
import hmac
import os
import secrets
import time
import uuid
from typing import Any

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from amplify.core.errors import Gone, NotFound
from amplify.core.i18n import lazy_gettext as _l

# Bitcoin's base58: no 0 O I l, so that a code survives being read aloud or copied from paper.
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

DRAWN_AT_ONCE = 256
# For bytes.translate: the upper bits of a UUID's seventh byte say its version, those of the ninth its variant.
VERSION, VARIANT = bytes(0x70 | n & 0x0F for n in range(256)), bytes(0x80 | n & 0x3F for n in range(256))


def short_code(length: int = 9) -> str:
    """A public random code. 9 base58 characters are 52 bits: public, grants nothing, hard to enumerate."""
    return "".join(secrets.choice(BASE58) for _ in range(length))


def secret_key() -> str:
    """A 256-bit secret in URL-safe text, shown once and stored hashed or sealed."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256 hex. Enough at rest for secrets of 128 bits and more, which cannot be guessed offline."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Constant-time comparison of two texts."""
    return hmac.compare_digest(left.encode(), right.encode())


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562, version 7): 48 bits of milliseconds, 74 random bits.

    Time order keeps the unique index appending at its right edge, whatever its size.
    """
    return uuid.UUID(uuid7_start() + uuid7_rest())


def uuid7_start() -> str:
    """The digits of this millisecond. For whoever makes many at once and has no time to make objects of them."""
    return f"{time.time_ns() // 1_000_000:012x}"


def uuid7_rest() -> str:
    """The 20 digits that follow, never the same."""
    if not _drawn:
        # Asking the system lets go of the interpreter, which a busy click must then wait for: ask it seldom.
        drawn = bytearray(os.urandom(10 * DRAWN_AT_ONCE))
        drawn[0::10], drawn[2::10] = drawn[0::10].translate(VERSION), drawn[2::10].translate(VARIANT)
        digits = drawn.hex()
        _drawn.extend(digits[start : start + 20] for start in range(0, len(digits), 20))
    return _drawn.pop()


def dashed(digits: str) -> str:
    """A UUID's digits as it is written."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


_drawn: list[str] = []
os.register_at_fork(after_in_child=_drawn.clear)  # two processes must not draw the same


class Signer:
    """Signs small payloads for one purpose; a token of one purpose is worthless for another."""

    def __init__(self, secret: str, purpose: str) -> None:
        self._serializer = URLSafeTimedSerializer(
            secret, salt=f"amplify.{purpose}", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def sign(self, payload: Any) -> str:
        """A URL-safe token of the JSON payload and the time of signing."""
        return str(self._serializer.dumps(payload))

    def read(self, token: str, *, max_age_days: float | None = None) -> Any:
        """The payload. Raises NotFound on a wrong signature, Gone when older than `max_age_days`."""
        try:
            return self._serializer.loads(token, max_age=None if max_age_days is None else int(max_age_days * 86_400))
        except SignatureExpired as error:
            raise Gone(_l("This link has expired."), rule="link-expired") from error
        except BadSignature as error:
            raise NotFound(_l("This link is not valid."), rule="link-unknown") from error
