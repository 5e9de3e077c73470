"""Sharing one board with people who have no account: links that only read, that end, and that can be taken back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from amplify.accounts import audit, passwords
from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.errors import Gone, Invalid, NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.tokens import digest, secret_key
from amplify.leaderboards import queries
from amplify.leaderboards.boards import board_ids
from amplify.leaderboards.folding import BoardName
from amplify.leaderboards.models import BoardLink
from amplify.leaderboards.scoring import begin

MAX_DAYS = 366
MAX_SHOWN = 100
PASSWORD_LENGTHS = (8, 200)
# A link is used every second by a screen on a wall; when that was is kept to the minute.
NOTED_EVERY = timedelta(minutes=1)


class Shown(NamedTuple):
    """What a shared board shows at one moment."""

    rows: list[queries.Row]
    ranked: int
    as_of: datetime


def make_link(
    session: Session, brand: Brand, *, name: str, board: BoardName, shown: int, days: int, password: str, actor: str
) -> tuple[BoardLink, str]:
    """The link and its secret, which nobody can read again. An empty password asks for none.

    Raises Invalid naming name, shown, days or password.
    """
    _check(name, shown, days, password)
    link = BoardLink(
        brand_id=brand.id,
        board_id=board_ids(session, begin(session, brand.id), [board])[board],
        name=name.strip(),
        shown=shown,
        token_hash=digest(secret := secret_key()),
        password_hash=passwords.hashed(password) if password else None,
        made_by=actor,
        expires_at=clock.now() + timedelta(days=days),
    )
    session.add(link)
    session.flush()
    detail = {"board": board[0], "days": days, "password": bool(password)}
    audit.record(session, brand.id, actor, "board-link.made", "board_link", link.id, detail)
    return link, secret


def _check(name: str, shown: int, days: int, password: str) -> None:
    if not 0 < len(name.strip()) <= 200:
        raise Invalid("name", "length-1-200", _l("A name has 1 to 200 characters."))
    for field, value, most in (("shown", shown, MAX_SHOWN), ("days", days, MAX_DAYS)):
        if not 1 <= value <= most:
            message = _l("The value lies between %(low)s and %(high)s.", low=1, high=most)
            raise Invalid(field, "range", message)
    low, high = PASSWORD_LENGTHS
    if password and not low <= len(password) <= high:
        message = _l("A password has %(low)s to %(high)s characters.", low=low, high=high)
        raise Invalid("password", "length", message)


def links_of(session: Session, brand_id: int) -> Sequence[BoardLink]:
    """The brand's links, newest first, ended ones too."""
    mine = sa.select(BoardLink).where(BoardLink.brand_id == brand_id).options(joinedload(BoardLink.board))
    return session.scalars(mine.order_by(BoardLink.id.desc())).all()


def revoke(session: Session, brand_id: int, link_id: int, actor: str) -> BoardLink:
    """The link shows nothing from now on. Raises NotFound."""
    link = session.scalar(sa.select(BoardLink).where(BoardLink.brand_id == brand_id, BoardLink.id == link_id))
    if link is None:
        raise NotFound(_l("There is no such link."))
    link.revoked_at = link.revoked_at or clock.now()
    audit.record(session, brand_id, actor, "board-link.revoked", "board_link", link.id)
    return link


def find_open(session: Session, token: str, now: datetime) -> BoardLink:
    """The link with this secret. Raises NotFound, and Gone once it ended."""
    link = session.scalar(sa.select(BoardLink).where(BoardLink.token_hash == digest(token)))
    if link is None:
        raise NotFound(_l("This link is not valid."), rule="link-unknown")
    if not link.is_open(now):
        raise Gone(_l("This link has expired."), rule="link-expired")
    return link


def is_use_due(link: BoardLink, now: datetime) -> bool:
    """Whether this use is to be written down."""
    return link.last_used_at is None or now - link.last_used_at >= NOTED_EVERY


def note_use(session: Session, link: BoardLink, now: datetime) -> None:
    """Remember that somebody looked."""
    session.execute(sa.update(BoardLink).where(BoardLink.id == link.id).values(last_used_at=now))


def shown(session: Session, link: BoardLink, now: datetime) -> Shown:
    """What the link shows: agreed names and pseudonyms of those who are on the board, never anybody else."""
    rows = queries.top(session, link.board, link.shown, now)
    return Shown(rows, queries.size(session, link.board), now)
