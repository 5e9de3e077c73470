"""What a board can be filtered by, with the choices of a brand."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import BusinessLine, Location
from amplify.campaigns.models import Campaign
from amplify.core.i18n import lazy_gettext as _l
from amplify.leaderboards.models import Board
from amplify.leaderboards.scoring import shown_id
from amplify.tracking.console import channel_label

Choices = list[tuple[int | str, str]]


def board_filters(session: Session, brand_id: int) -> list[tuple[str, Any, Choices]]:
    """Parameter, label and choices of each filter that has any."""
    kinds: tuple[tuple[str, Any, Any], ...] = (
        ("campaign", _l("Campaign"), Campaign),
        ("location", _l("Location"), Location),
        ("business_line", _l("Business line"), BusinessLine),
    )
    made: list[tuple[str, Any, Choices]] = []
    for parameter, label, kind in kinds:
        found = session.execute(sa.select(kind.id, kind.name).where(kind.brand_id == brand_id).order_by(kind.name))
        made.append((parameter, label, [(row.id, row.name) for row in found]))
    made.append(("channel", _l("Channel"), _channels(session, brand_id)))
    return [entry for entry in made if entry[2]]


def _channels(session: Session, brand_id: int) -> Choices:
    """Those that have a board: somebody earned points through them."""
    kinds = sa.select(Board.kind).where(Board.scoring_id == shown_id(brand_id), Board.kind.startswith("channel:"))
    names = {kind.partition(":")[2] for kind in session.scalars(kinds)}
    return sorted(((name, channel_label(name)) for name in names), key=lambda choice: choice[1].casefold())
