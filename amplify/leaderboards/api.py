"""The leaderboard over HTTP, read only."""

from apiflask import APIBlueprint
from flask import g

from amplify.core import clock
from amplify.core.boundary import takes_query
from amplify.core.db import db
from amplify.core.security import api
from amplify.leaderboards import queries
from amplify.leaderboards.boards import board_name, find_board
from amplify.leaderboards.schemas import BoardOut, BoardQuery, RankedOut

blueprint = APIBlueprint("leaderboard", __name__, url_prefix="/api/v1/leaderboard", tag="Leaderboard")


@blueprint.get("")
@api("leaderboards:read")
@takes_query(BoardQuery)
@blueprint.output(BoardOut)
@blueprint.doc(
    summary="The top of a board",
    description="Of a location, else a business line, else a campaign, else the whole brand. Only advocates with "
    "points that count toward rewards are ranked; scores lose half of their worth every half-life.",
)
def top(query: BoardQuery) -> dict[str, object]:
    """The first advocates of one board."""
    now = clock.now()
    name = board_name(**{f"{key}_id": value for key, value in query.model_dump(exclude={"limit"}).items()})
    board = find_board(db.session, g.brand.id, name)
    rows = queries.top(db.session, board, query.limit, now) if board else []
    shown = BoardOut(
        board=name[0],
        half_life_days=g.brand.half_life_days,
        ranked=queries.size(db.session, board) if board else 0,
        as_of=now,
        rows=[shown_row(row) for row in rows],
    )
    return shown.model_dump(mode="json")


def shown_row(row: queries.Row) -> RankedOut:
    """One line as machines get it."""
    return RankedOut(
        rank=row.rank,
        advocate=row.name,
        score=round(row.score, 2),
        recognition=round(row.recognition, 2),
        human_clicks=row.human_clicks,
        raw_clicks=row.raw_clicks,
        conversions=row.conversions,
        shares=row.shares,
    )
