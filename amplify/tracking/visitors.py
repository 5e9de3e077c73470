"""Telling one visitor's clicks apart within a day, without an address at rest and without following anybody.

The key is a keyed hash (BLAKE2b) over the address's prefix and the user agent, by our secret and a salt of the UTC day.
The salt is destroyed after its day: from then on nobody, we included, can compute that day's keys again.
"""

import hashlib
import secrets
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.tracking.models import VisitorSalt


def prefix(address: str) -> str:
    """The network an address stands in: /24 of IPv4, /48 of IPv6 (a household's or an office's). "" if it is none."""
    try:
        found = ip_address(address.split("%")[0])
    except ValueError:
        return ""
    found = getattr(found, "ipv4_mapped", None) or found
    return str(ip_network((found, 24 if found.version == 4 else 48), strict=False))


def visitor_key(session: Session, *, secret: str, address: str, user_agent: str, at: datetime) -> str:
    """32 hexadecimal digits (128 bits) that are the same for the same network, agent and UTC day."""
    return key_of(secret, salt_of(session, at), prefix(address), user_agent)


def key_of(secret: str, salt: str, network: str, user_agent: str) -> str:
    """The same from its parts, for whoever keeps the day's salt at hand."""
    hashed = _day_hash(secret, salt).copy()
    hashed.update(f"{network}|{user_agent}".encode())
    return hashed.hexdigest()


@lru_cache(maxsize=1)  # a day that is over is not kept in memory either
def _day_hash(secret: str, salt: str) -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=16, key=hashlib.sha256(f"{secret}|{salt}".encode()).digest())


def salt_of(session: Session, at: datetime) -> str:
    """The salt of a day, made by whoever needs it first; every process of the installation gets the same one."""
    mine = sa.select(VisitorSalt.salt).where(VisitorSalt.day == _day(at))
    salt = session.scalar(mine)
    if salt is None:
        insert_ignore(session, VisitorSalt, [{"day": _day(at), "salt": secrets.token_hex(32)}])
        salt = session.scalar(mine)
    return str(salt)


def forget_salts(session: Session, limit: int) -> int:
    """Worker round: destroy the salts of days that are over. Returns how many."""
    over = sa.delete(VisitorSalt).where(VisitorSalt.day < _day(clock.now())).returning(VisitorSalt.day)
    return len(session.execute(over).all())


def _day(at: datetime) -> str:
    return at.date().isoformat()
