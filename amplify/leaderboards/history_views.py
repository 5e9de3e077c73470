"""Past boards for staff: what was frozen, and what it would be today."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, g, render_template, request, url_for
from pydantic import BaseModel, Field

from amplify.campaigns.models import Campaign
from amplify.core.boundary import parse_query
from amplify.core.db import db
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.leaderboards import history
from amplify.leaderboards.models import Snapshot
from amplify.leaderboards.wording import CHANGED_BY

blueprint = Blueprint("history", __name__, url_prefix="/console/leaderboard/past")

PAGE = 100
HEADER = (
    _l("Advocate"), _l("Rank then"), _l("Rank today"), _l("Places up"), _l("Points then"), _l("Points today"),
    _l("Why"),
)  # fmt: skip


class Paged(BaseModel):
    """The query of the page."""

    page: int = Field(1, ge=1, le=100_000)


@blueprint.get("")
@staff()
def listing() -> str:
    """Every frozen ranking."""
    found = history.snapshots(db.session, g.brand.id)
    return render_template("leaderboards/past.html", rows=found, campaigns=_campaigns(found))


@blueprint.get("/<int:snapshot_id>")
@staff()
def one(snapshot_id: int) -> str:
    """One of them beside today."""
    snapshot, wanted = _snapshot(snapshot_id), parse_query(Paged, request)
    found = history.difference(db.session, snapshot)
    first = (wanted.page - 1) * PAGE
    return render_template(
        "leaderboards/past_board.html",
        snapshot=snapshot,
        campaign=_campaigns([snapshot])[snapshot.campaign_id],
        found=found,
        rows=list(islice(found.changes, first, first + PAGE)),
        page=wanted.page,
        pages=max(1, -(-len(found.changes) // PAGE)),
        changed_by=CHANGED_BY,
        csv=url_for(".one_csv", snapshot_id=snapshot.id),
    )


@blueprint.get("/<int:snapshot_id>.csv")
@staff()
def one_csv(snapshot_id: int) -> Response:
    """The same as a file, all of it."""
    found = history.difference(db.session, _snapshot(snapshot_id))
    return csv_response(f"board-{snapshot_id}", HEADER, _cells(found.changes))


def _cells(changes: list[history.Change]) -> Iterator[list[Any]]:
    for one in changes:
        points = (None if score is None else round(score, 2) for score in (one.score_before, one.score_after))
        why = "; ".join(str(CHANGED_BY[cause]) for cause in one.causes)
        yield [one.name, one.before, one.after, one.move, *points, why]


def _snapshot(snapshot_id: int) -> Snapshot:
    mine = Snapshot.id == snapshot_id, Snapshot.brand_id == g.brand.id
    found = db.session.scalar(sa.select(Snapshot).where(*mine))
    if found is None:
        raise NotFound(_l("There is no such past board."))
    return found


def _campaigns(found: list[Snapshot]) -> dict[int, str]:
    mine = Campaign.brand_id == g.brand.id, Campaign.id.in_({one.campaign_id for one in found})
    named = db.session.execute(sa.select(Campaign.id, Campaign.name).where(*mine))
    return {row.id: row.name for row in named}
