"""Reads for the console: staff, and the audit log by page and as a whole."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import ApiKey, AuditEntry, SigningKey, User

PER_PAGE = 50
AUDIT_COLUMNS = ("at", "actor", "action", "subject_kind", "subject_id", "detail")


def people(session: Session, brand_id: int) -> Sequence[User]:
    """The brand's staff, oldest account first."""
    return session.scalars(sa.select(User).where(User.brand_id == brand_id).order_by(User.id)).all()


def api_keys(session: Session, brand_id: int) -> Sequence[ApiKey]:
    """The brand's API keys, revoked ones too, oldest first."""
    return session.scalars(sa.select(ApiKey).where(ApiKey.brand_id == brand_id).order_by(ApiKey.id)).all()


def signing_keys(session: Session, brand_id: int) -> Sequence[SigningKey]:
    """The brand's signing keys, disabled ones too, oldest first."""
    mine = SigningKey.brand_id == brand_id
    return session.scalars(sa.select(SigningKey).where(mine).order_by(SigningKey.id)).all()


def actor_names(session: Session, brand_id: int) -> dict[str, str]:
    """ "user:7" -> what the person is called."""
    return {f"user:{user.id}": user.name or user.email for user in people(session, brand_id)}


def audit_page(session: Session, brand_id: int, wanted: str) -> dict[str, Any]:
    """entries, page, pages, total. A page that does not exist becomes the nearest one that does."""
    mine = AuditEntry.brand_id == brand_id
    total = session.scalar(sa.select(sa.func.count(AuditEntry.id)).where(mine)) or 0
    pages = max(1, -(-total // PER_PAGE))
    page = min(max(1, int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else 1), pages)
    newest_first = sa.select(AuditEntry).where(mine).order_by(AuditEntry.id.desc())
    entries = session.scalars(newest_first.limit(PER_PAGE).offset((page - 1) * PER_PAGE)).all()
    return {"entries": entries, "page": page, "pages": pages, "total": total}


def audit_rows(session: Session, brand_id: int) -> Iterator[list[Any]]:
    """Every entry, oldest first, as the cells of AUDIT_COLUMNS."""
    query = sa.select(AuditEntry).where(AuditEntry.brand_id == brand_id).order_by(AuditEntry.id)
    for entry in session.scalars(query.execution_options(yield_per=500)):
        detail = json.dumps(entry.detail, ensure_ascii=False, sort_keys=True) if entry.detail else ""
        cells = (entry.actor, entry.action, entry.subject_kind, entry.subject_id)
        yield [entry.at.isoformat(), *cells, detail]
