"""The board by rate: page and CSV."""

from apiflask import APIBlueprint
from flask import Response, g, render_template, request, url_for

from amplify.core import clock
from amplify.core.boundary import parse_query
from amplify.core.db import db
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.leaderboards.filters import board_filters
from amplify.leaderboards.rated import MIN_CLICKS, rated
from amplify.leaderboards.schemas import BoardFilter
from amplify.leaderboards.wording import WINDOWS

blueprint = APIBlueprint("rates", __name__, enable_openapi=False)

SHOWN = 100
EXPORTED = 100_000


@blueprint.get("/console/leaderboard/rates")
@staff()
def page() -> str:
    """Whose visitors buy most often, with how sure that is."""
    wanted = parse_query(BoardFilter, request)
    found = rated(db.session, g.brand.id, wanted, SHOWN, clock.now())
    filters = board_filters(db.session, g.brand.id)
    return render_template(
        "leaderboards/rates.html",
        found=found,
        left_out=[label for name, label, _choices in filters if name in found.left_out],
        least=MIN_CLICKS,
        wanted=wanted.model_dump(),
        filters=filters,
        windows=WINDOWS,
        csv=url_for(".export", **wanted.model_dump(exclude_none=True)),
    )


@blueprint.get("/console/leaderboard/rates.csv")
@staff()
def export() -> Response:
    """The same as a table for a spreadsheet."""
    found = rated(db.session, g.brand.id, parse_query(BoardFilter, request), EXPORTED, clock.now())
    header = (
        _l("Rank"), _l("Advocate"), _l("Rate, toward the mean"), _l("At least"), _l("At most"), _l("Purchases"),
        _l("Human clicks"),
    )  # fmt: skip
    cells = (
        (
            row.rank, row.name, round(row.rate.mean, 5), round(row.rate.low, 5), round(row.rate.high, 5),
            row.conversions, row.human_clicks,
        )
        for row in found.rows
    )  # fmt: skip
    return csv_response("rates", header, cells)
