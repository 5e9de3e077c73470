"""Secrets that must be read back (webhook keys, provider tokens) are sealed: AES-256-GCM, key outside the database.

The owner of the secret is bound in as associated data, so a ciphertext copied to another row does not open.
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12  # NIST SP 800-38D, the size GCM is made for


class SealBroken(Exception):
    """The ciphertext was made for another owner, with another key, or was changed."""


def _cipher(secret_key: str) -> AESGCM:
    derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"amplify.seal.v1")
    return AESGCM(derive.derive(secret_key.encode()))


def seal(plain: str, *, owner: str, secret_key: str) -> str:
    """Ciphertext as text; `owner` names the row and column, e.g. "signing_keys:acme:shop"."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = _cipher(secret_key).encrypt(nonce, plain.encode(), owner.encode())
    return base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(sealed: str, *, owner: str, secret_key: str) -> str:
    """The secret again. Raises SealBroken."""
    raw = base64.urlsafe_b64decode(sealed.encode())
    try:
        return _cipher(secret_key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], owner.encode()).decode()
    except InvalidTag as error:
        raise SealBroken(owner) from error
