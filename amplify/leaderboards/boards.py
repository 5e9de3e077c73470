"""Which boards there are, and finding or making the one that is meant."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import insert_ignore
from amplify.leaderboards.folding import BoardName, channel_board
from amplify.leaderboards.models import Board
from amplify.leaderboards.scoring import Edition, shown_id

WHOLE_BRAND: BoardName = ("brand", 0)


def find_board(session: Session, brand_id: int, name: BoardName = WHOLE_BRAND, *, days: int = 0) -> Board | None:
    """A board of all time, or of a window of so many days; None while nobody has points on it."""
    kind, ref_id = name
    mine = Board.scoring_id == shown_id(brand_id), Board.kind == kind, Board.ref_id == ref_id, Board.days == days
    return session.scalar(sa.select(Board).where(*mine))


def board_name(
    *,
    campaign_id: int | None = None,
    location_id: int | None = None,
    business_line_id: int | None = None,
    channel: str | None = None,
) -> BoardName:
    """The board of the first of these that is given, else the whole brand's."""
    places = (("location", location_id), ("business_line", business_line_id))
    if place := next(((kind, ref_id) for kind, ref_id in places if ref_id), None):
        return place
    if channel:
        return channel_board(channel)
    return ("campaign", campaign_id) if campaign_id else WHOLE_BRAND


def audience_board(audience: dict[str, Any]) -> BoardName:
    """The board an audience is chosen from."""
    return board_name(**{name: audience.get(name) for name in ("location_id", "business_line_id", "campaign_id")})


def board_ids(session: Session, edition: Edition, names: Iterable[BoardName], *, days: int = 0) -> dict[BoardName, int]:
    """The ids of these boards of an edition and one window; those that are missing are made."""
    wanted = set(names)
    found = _known(session, edition, wanted, days)
    if missing := sorted(wanted - found.keys()):
        which = {"brand_id": edition.brand_id, "scoring_id": edition.id, "days": days}
        insert_ignore(session, Board, [{**which, "kind": kind, "ref_id": ref_id} for kind, ref_id in missing])
        found |= _known(session, edition, missing, days)
    return found


def _known(session: Session, edition: Edition, names: Iterable[BoardName], days: int) -> dict[BoardName, int]:
    mine = sa.select(Board.kind, Board.ref_id, Board.id).where(Board.scoring_id == edition.id, Board.days == days)
    asked = mine.where(sa.tuple_(Board.kind, Board.ref_id).in_(list(names)))
    return {(kind, ref_id): board_id for kind, ref_id, board_id in session.execute(asked)}
