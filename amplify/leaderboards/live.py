"""A board as a screen on a wall gets it: whole once, then only the lines that changed (server-sent events).

An event's id is a digest of what it shows, so whoever comes back says what they have seen, to any process, also to one
that started later.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from amplify.leaderboards.board_links import Shown, shown
from amplify.leaderboards.models import BoardLink

# What a browser waits before it comes again.
RETRY_MILLISECONDS = 2_000
OPENING = f"retry: {RETRY_MILLISECONDS}\n\n".encode()
HEARTBEAT = b": still here\n\n"
END = b"event: end\ndata: {}\n\n"


@dataclass(frozen=True)
class Picture:
    """What a wall shows: lines of rank, name, points, human clicks, all requests and purchases."""

    version: str
    ranked: int
    lines: Sequence[tuple[Any, ...]]


def picture_of(what: Shown) -> Picture:
    """The lines as they are drawn: points to a tenth, so that their fading is no change every second."""
    lines = [
        (row.rank, row.name, round(row.score, 1), row.human_clicks, row.raw_clicks, row.conversions)
        for row in what.rows
    ]
    said = json.dumps([what.ranked, lines], ensure_ascii=False)
    return Picture(sha256(said.encode()).hexdigest()[:16], what.ranked, lines)


def pictures(session: Session, link_ids: Sequence[int], now: datetime) -> dict[int, Picture]:
    """What these links show now; one that has ended is missing."""
    wanted = sa.select(BoardLink).where(BoardLink.id.in_(link_ids)).options(joinedload(BoardLink.board))
    return {link.id: picture_of(shown(session, link, now)) for link in session.scalars(wanted) if link.is_open(now)}


def event(picture: Picture, before: Picture | None = None) -> bytes:
    """The change from `before`, else the whole."""
    known = before.lines if before else ()
    changed = [
        [index, *line]
        for index, line in enumerate(picture.lines)
        if index >= len(known) or tuple(known[index]) != tuple(line)
    ]
    data = {"length": len(picture.lines), "ranked": picture.ranked, "lines": changed}
    said = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {picture.version}\nevent: board\ndata: {said}\n\n".encode()
