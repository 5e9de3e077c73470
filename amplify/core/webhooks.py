"""The signature of the Standard Webhooks rules (standardwebhooks.com, v1), for what comes in and what goes out.

HMAC-SHA256 over `id.timestamp.body`. It is written out here because a signature is compared as text: the library
decodes base64 leniently, so several spellings of one signature would pass.
"""

import base64
import hashlib
import hmac
import os

SECRET_BYTES = 32


def new_secret() -> str:
    """`whsec_...`"""
    return "whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    """`v1,<base64>` of one message, as the sender writes it."""
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((message_id.encode(), stamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
