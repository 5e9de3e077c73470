"""Keys of machines: `<prefix>.<secret>`, 256 random bits, looked up by prefix, compared by digest, shown once."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.accounts.models import ApiKey
from amplify.core import clock, tokens
from amplify.core.errors import Forbidden, Invalid, NotFound, Unauthorized
from amplify.core.i18n import lazy_gettext as _l

# What a key may be allowed: resource:verb. One list, so that a page can offer it and a typo is refused.
SCOPES = ("responses:read", "responses:write", "leaderboards:read", "campaigns:read", "rewards:write")


def create_api_key(
    session: Session,
    brand_id: int,
    *,
    name: str,
    scopes: list[str],
    actor: str,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """The row and the whole key, which nobody can read again. Raises Invalid("scopes", ...)."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise Invalid("scopes", "scope", _l("A key needs at least one scope that exists."))
    secret = tokens.secret_key()
    key = ApiKey(
        brand_id=brand_id,
        name=name,
        prefix=tokens.short_code(12),
        secret_hash=tokens.digest(secret),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    session.add(key)
    session.flush()
    audit.record(session, brand_id, actor, "api-key.created", "api_key", key.prefix, {"scopes": key.scopes})
    return key, f"{key.prefix}.{secret}"


def authenticate(session: Session, header: str) -> ApiKey:
    """The living key of an `Authorization: Bearer` header. Raises Unauthorized."""
    scheme, _space, value = header.partition(" ")
    prefix, _dot, secret = value.strip().partition(".")
    key = None
    if scheme.lower() == "bearer" and 0 < len(prefix) <= 16 and prefix.isascii() and "\0" not in prefix:
        key = session.scalar(sa.select(ApiKey).where(ApiKey.prefix == prefix))
    # The digest is computed and compared for an unknown prefix too: no difference in time.
    expected = key.secret_hash if key else "0" * 64
    matches = tokens.same(tokens.digest(secret), expected)
    if not key or not matches or key.revoked_at or (key.expires_at and key.expires_at <= clock.now()):
        raise Unauthorized(_l("The API key is missing, wrong, expired or revoked."), rule="api-key")
    return key


def require_scope(key: ApiKey, scope: str) -> None:
    """Raises Forbidden when the key was not given this scope."""
    if scope not in key.scopes:
        raise Forbidden(_l("This key does not have the scope %(scope)s.", scope=scope), rule="scope")


def revoke(session: Session, brand_id: int, key_id: int, actor: str) -> ApiKey:
    """The key is worthless from now on. Raises NotFound."""
    key = session.scalar(sa.select(ApiKey).where(ApiKey.brand_id == brand_id, ApiKey.id == key_id))
    if not key:
        raise NotFound(_l("There is no such key."))
    key.revoked_at = key.revoked_at or clock.now()
    audit.record(session, brand_id, actor, "api-key.revoked", "api_key", key.prefix)
    return key
