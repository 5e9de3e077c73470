"""Who stands first of those with equal scores, by the brand's rule, as bytes that every database compares alike.

earliest: no more than the order every board ends with, whoever reached the score first, then the older advocate.
conversions: who has more of them on that board first. pseudonym: by the alphabet, capitals and accents aside.
"""

import unicodedata
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.sharing.models import Advocate

MOST = 10**12
# A window's score says the milli-points and, in steps of so many, roughly who stands first of equals.
STEPS = 1 << 20
SCALE = 1024


def by_conversions(conversions: int) -> bytes:
    """More come first."""
    return b"%012d" % (MOST - 1 - conversions)


def by_pseudonym(pseudonym: str) -> bytes:
    """In the order of the alphabet: UTF-8 keeps the order of the characters."""
    letters = unicodedata.normalize("NFKD", pseudonym.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).encode()


class Ties:
    """The ties of these advocates by one rule."""

    def __init__(self, session: Session, rule: str, advocates: Collection[int]) -> None:
        self.rule = rule
        self.by_name: dict[int, bytes] = {}
        if rule == "pseudonym":
            named = sa.select(Advocate.id, Advocate.pseudonym).where(is_among(session, Advocate.id, advocates))
            self.by_name = {who: by_pseudonym(name) for who, name in session.execute(named)}

    def of(self, advocate_id: int, conversions: int) -> bytes:
        """One advocate's on one board."""
        if self.rule == "conversions":
            return by_conversions(conversions)
        return self.by_name.get(advocate_id, b"")


def window_score(milli_points: int, rule: str, reached_at: datetime, conversions: int, tie: bytes) -> float | None:
    """The score on a window's board: whole milli-points, and a fraction by the tie rule.

    Points of a window are few different numbers, so thousands are equal. The fraction spreads them over ranges that can
    be counted (`histogram.py`); it never contradicts the full order. None: nothing that is ranked.
    """
    if milli_points <= 0:
        return None
    if rule == "conversions":
        behind = STEPS - 1 - conversions
    elif rule == "pseudonym":
        behind = int.from_bytes(tie[:3].ljust(3, b"\0")) >> 4
    else:
        behind = int(reached_at.timestamp()) // 3600
    return (milli_points + (STEPS - 1 - min(max(behind, 0), STEPS - 1)) / STEPS) / SCALE
