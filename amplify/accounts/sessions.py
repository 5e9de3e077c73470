"""Sign-ins that the server can end: a new one at each login, gone at logout, at most eight hours long."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import StaffSession, User
from amplify.core import clock, tokens

LENGTH = timedelta(hours=8)


def begin(session: Session, user: User) -> str:
    """A new sign-in; returns the secret for the cookie."""
    secret = tokens.secret_key()
    user.signed_in_at = clock.now()
    expires = clock.now() + LENGTH
    session.add(StaffSession(user_id=user.id, secret_hash=tokens.digest(secret), expires_at=expires))
    session.flush()
    return secret


def is_alive(session: Session, user: User, secret: str) -> bool:
    """Whether this secret is a running sign-in of this person."""
    found = session.scalar(sa.select(StaffSession).where(StaffSession.secret_hash == tokens.digest(secret)))
    return bool(found and found.user_id == user.id and found.ended_at is None and found.expires_at > clock.now())


def end(session: Session, secret: str) -> None:
    """Sign this browser out."""
    _end(session, StaffSession.secret_hash == tokens.digest(secret))


def end_all(session: Session, user: User) -> None:
    """Sign the person out everywhere, e.g. when a role or the password changes."""
    _end(session, StaffSession.user_id == user.id)


def _end(session: Session, which: sa.ColumnElement[bool]) -> None:
    running = sa.update(StaffSession).where(which, StaffSession.ended_at.is_(None))
    session.execute(running.values(ended_at=clock.now()))
