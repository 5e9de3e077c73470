"""What web push needs of us: this installation's key pair, its signed word to push services, and the encryption.

RFC 8292 (VAPID), RFC 8291 and RFC 8188 (one record, aes128gcm). The key pair is made from the installation's secret and
so is nowhere stored; another secret makes another pair, and browsers subscribe anew.
"""

import base64
import json
import os
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from amplify.core import clock
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l

CURVE = ec.SECP256R1()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (FIPS 186-5)
RECORD = 4096
LIFE_SECONDS = 12 * 3600  # RFC 8292, 2: at most 24 hours


@dataclass(frozen=True)
class Keys:
    """The installation's pair; `public` is what browsers are given (base64url, uncompressed point)."""

    private: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> str:
        return encode(point(self.private.public_key()))

    def authorization(self, endpoint: str, contact: str) -> str:
        """The header by which a push service knows us (RFC 8292, 3)."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(clock.now().timestamp()) + LIFE_SECONDS,
            "sub": contact,
        }
        head, body = (encode(json.dumps(one).encode()) for one in ({"typ": "JWT", "alg": "ES256"}, claims))
        r, s = decode_dss_signature(self.private.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
        token = f"{head}.{body}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
        return f"vapid t={token}, k={self.public}"


@cache
def keys(secret: str) -> Keys:
    """The pair of the installation with this secret."""
    drawn = HKDF(hashes.SHA256(), 48, None, b"amplify.vapid.v1").derive(secret.encode())
    return Keys(ec.derive_private_key(int.from_bytes(drawn, "big") % (ORDER - 1) + 1, CURVE))


def encrypt(plain: bytes, p256dh: str, auth: str) -> bytes:
    """The body that only this browser can read (RFC 8291, 3). Raises ValueError for keys that are none."""
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, decode(p256dh))
    sender, salt = ec.generate_private_key(CURVE), os.urandom(16)
    mine = point(sender.public_key())
    shared = sender.exchange(ec.ECDH(), receiver)
    info = b"WebPush: info\0" + point(receiver) + mine
    material = HKDF(hashes.SHA256(), 32, decode(auth), info).derive(shared)
    key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(material)
    nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(material)
    head = salt + RECORD.to_bytes(4, "big") + bytes([len(mine)]) + mine
    return head + AESGCM(key).encrypt(nonce, plain + b"\x02", None)


def check(field: str, p256dh: str, auth: str) -> None:
    """For what a browser says. Raises Invalid(field, "webpush-keys")."""
    try:
        encrypt(b"", p256dh, auth)
    except ValueError as error:
        raise Invalid(field, "webpush-keys", _l("This browser's keys cannot be read.")) from error


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    """65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encode(raw: bytes) -> str:
    """base64url without padding, as all of these documents write bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes again. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
