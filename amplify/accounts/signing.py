"""The keys of signed postbacks (see core.webhooks): made, rotated, verified."""

import hmac
import re
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.accounts.models import SigningKey
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.errors import Conflict, Invalid, NotFound, Unauthorized
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.seal import seal, unseal
from amplify.core.webhooks import new_secret, signature

__all__ = [
    "create_signing_key",
    "disable_signing_key",
    "find_signing_key",
    "rotate_signing_key",
    "signature",
    "signing_key_of",
    "verify_signed",
]

TOLERANCE_SECONDS = 300
KEY_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?")
MAX_SIGNATURES = 8


def create_signing_key(
    session: Session, brand: Brand, *, key: str, name: str, secret_key: str, actor: str
) -> tuple[SigningKey, str]:
    """The row and the secret (`whsec_...`), shown once. `secret_key` seals it. Raises Invalid("key", ...), Conflict."""
    if not KEY_NAME.fullmatch(key):
        raise Invalid("key", "slug", _l("Use small letters, digits and dashes."))
    if find_signing_key(session, brand.id, key):
        raise Conflict(_l("There is a key of this name already."), field="key", rule="unique")
    secret = new_secret()
    sealed = seal(secret, owner=_owner(brand.id, key), secret_key=secret_key)
    row = SigningKey(brand_id=brand.id, key=key, name=name, sealed_secret=sealed)
    session.add(row)
    session.flush()
    audit.record(session, brand.id, actor, "signing-key.created", "signing_key", key)
    return row, secret


def rotate_signing_key(session: Session, row: SigningKey, *, secret_key: str, actor: str) -> str:
    """A new secret; the one before stays good until the next rotation, so the sender changes in its own time."""
    secret = new_secret()
    row.sealed_previous = row.sealed_secret
    row.sealed_secret = seal(secret, owner=_owner(row.brand_id, row.key), secret_key=secret_key)
    audit.record(session, row.brand_id, actor, "signing-key.rotated", "signing_key", row.key)
    return secret


def disable_signing_key(session: Session, row: SigningKey, actor: str) -> None:
    """Nothing signed with it is taken any more."""
    row.disabled_at = row.disabled_at or clock.now()
    audit.record(session, row.brand_id, actor, "signing-key.disabled", "signing_key", row.key)


def find_signing_key(session: Session, brand_id: int, key: str) -> SigningKey | None:
    """The row of this name, disabled or not."""
    return session.scalar(sa.select(SigningKey).where(SigningKey.brand_id == brand_id, SigningKey.key == key))


def signing_key_of(session: Session, brand_id: int, key: str) -> SigningKey:
    """The row of this name. Raises NotFound."""
    row = find_signing_key(session, brand_id, key)
    if not row:
        raise NotFound(_l("There is no such key."))
    return row


def verify_signed(
    session: Session,
    brand: Brand,
    key: str,
    headers: Mapping[str, str],
    body: bytes,
    secret_key: str,
    *,
    tells_unknown: bool = False,
) -> SigningKey:
    """The key that signed this body within the last five minutes. Raises Unauthorized, never saying what was wrong;
    NotFound for a key that is not there, if `tells_unknown`.

    `headers` is looked up by lower-case and by given name: webhook-id, webhook-timestamp, webhook-signature.
    """
    row = signing_key_of(session, brand.id, key) if tells_unknown else find_signing_key(session, brand.id, key)
    if row is None or row.disabled_at is not None:
        raise _refused()
    message_id, stamp, signatures = (_header(headers, name) for name in ("id", "timestamp", "signature"))
    if not message_id or not re.fullmatch(r"[0-9]{1,12}", stamp):
        raise _refused()
    if abs(clock.now().timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        raise _refused()
    given = signatures.split(" ")[:MAX_SIGNATURES]
    sealed = [text for text in (row.sealed_secret, row.sealed_previous) if text]
    secrets = [unseal(text, owner=_owner(brand.id, key), secret_key=secret_key) for text in sealed]
    expected = [signature(secret, message_id, stamp, body) for secret in secrets]
    # Every pair is compared: the time says nothing about which one fitted.
    fits = [hmac.compare_digest(a.encode(), b.encode()) for a in given for b in expected]
    if not any(fits):
        raise _refused()
    return row


def _owner(brand_id: int, key: str) -> str:
    return f"signing_keys:{brand_id}:{key}"


def _header(headers: Mapping[str, str], name: str) -> str:
    return headers.get(f"webhook-{name}") or headers.get(f"Webhook-{name.capitalize()}") or ""


def _refused() -> Unauthorized:
    return Unauthorized(_l("The signature is missing, wrong, or too old."), rule="signature")
