"""The boards of a brand by the names that people know."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import BusinessLine, Location
from amplify.campaigns.models import Campaign
from amplify.core.i18n import gettext as _
from amplify.leaderboards.boards import WHOLE_BRAND
from amplify.leaderboards.folding import BoardName
from amplify.leaderboards.models import Board

KINDS: tuple[tuple[str, Any], ...] = (("campaign", Campaign), ("location", Location), ("business_line", BusinessLine))


def choices(session: Session, brand_id: int) -> list[tuple[BoardName, str]]:
    """Every board that may be shown, the brand's own first."""
    found: list[tuple[BoardName, str]] = [(WHOLE_BRAND, _("Everything"))]
    for kind, model in KINDS:
        mine = sa.select(model.id, model.name).where(model.brand_id == brand_id).order_by(model.name)
        found += [((kind, row.id), row.name) for row in session.execute(mine)]
    return found


def label_of(board: Board, known: list[tuple[BoardName, str]]) -> str:
    """What one board is called."""
    return dict(known).get((board.kind, board.ref_id), board.kind)
