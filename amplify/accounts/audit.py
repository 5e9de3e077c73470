"""The audit log: who did what to what, when. Entries are only ever added."""

from typing import Any

from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry


def record(
    session: Session,
    brand_id: int,
    actor: str,
    action: str,
    subject_kind: str,
    subject_id: object,
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Write one entry in the caller's transaction; `action` in the past tense, e.g. "campaign.scheduled".

    `actor` is "user:7", "key:<prefix>", "signed:<key>" or "system".
    """
    entry = AuditEntry(
        brand_id=brand_id,
        actor=actor[:200],
        action=action[:80],
        subject_kind=subject_kind[:40],
        subject_id=str(subject_id)[:80],
        detail=detail or {},
    )
    session.add(entry)
    return entry
