"""The leaderboard as staff see it, and as each advocate sees it with their own place in it and the reasons."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, g, make_response, render_template, request, url_for

from amplify.brands.models import Brand, BusinessLine, Location
from amplify.campaigns.models import Campaign
from amplify.core import clock, nav
from amplify.core.boundary import parse_query
from amplify.core.db import db
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import public, staff
from amplify.core.sheets import csv_response
from amplify.core.web import amplify
from amplify.leaderboards import queries
from amplify.leaderboards.boards import WHOLE_BRAND, board_name, find_board
from amplify.leaderboards.explain import why
from amplify.leaderboards.models import Board
from amplify.leaderboards.schemas import BoardFilter
from amplify.leaderboards.wording import CAUSES, EXPLAINED, TAKEN_BACK
from amplify.sharing.tokens import PURPOSE, Visit, read_token
from amplify.tracking.console import channel_label
from amplify.tracking.wording import attribution_words, verdict_words

blueprint = Blueprint("leaderboards", __name__)
nav.add("leaderboards.console", _l("Leaderboard"), "trophy", order=50)

SHOWN = 100
EXPORTED = 100_000
TOP = 10
NEIGHBOURS = 2
LINES = 100


def _chosen_board() -> tuple[BoardFilter, Board | None]:
    wanted = parse_query(BoardFilter, request)
    name = board_name(campaign_id=wanted.campaign, location_id=wanted.location, business_line_id=wanted.business_line)
    return wanted, find_board(db.session, g.brand.id, name)


@blueprint.get("/console/leaderboard")
@staff()
def console() -> str:
    """The board of the brand, or of one campaign, place or line."""
    wanted, board = _chosen_board()
    return render_template(
        "leaderboards/console.html",
        rows=queries.top(db.session, board, SHOWN, clock.now()) if board else [],
        ranked=queries.size(db.session, board) if board else 0,
        wanted=wanted.model_dump(),
        filters=_filters(),
        csv=url_for("leaderboards.export", **wanted.model_dump(exclude_none=True)),
    )


@blueprint.get("/console/leaderboard.csv")
@staff()
def export() -> Response:
    """The same board as a table for a spreadsheet."""
    _wanted, board = _chosen_board()
    rows = queries.top(db.session, board, EXPORTED, clock.now()) if board else []
    header = (
        _l("Rank"), _l("Advocate"), _l("Points now"), _l("Human clicks"), _l("All requests"), _l("Purchases"),
        _l("Confirmed shares"), _l("Recognition points"),
    )  # fmt: skip
    cells = (
        (
            r.rank,
            r.name,
            round(r.score, 2),
            r.human_clicks,
            r.raw_clicks,
            r.conversions,
            r.shares,
            round(r.recognition, 2),
        )
        for r in rows
    )
    return csv_response("leaderboard", header, cells)


def _filters() -> list[tuple[str, Any, list[tuple[int, str]]]]:
    """Parameter, label and choices of each filter that has any."""
    kinds: tuple[tuple[str, Any, Any], ...] = (
        ("campaign", _l("Campaign"), Campaign),
        ("location", _l("Location"), Location),
        ("business_line", _l("Business line"), BusinessLine),
    )
    made = []
    for parameter, label, kind in kinds:
        found = db.session.execute(sa.select(kind.id, kind.name).where(kind.brand_id == g.brand.id).order_by(kind.name))
        made.append((parameter, label, [(row.id, row.name) for row in found]))
    return [entry for entry in made if entry[2]]


@blueprint.get("/board/<token>")
@public()
def board(token: str) -> Response:
    """The advocate's own view: the first ten, their own place, and who stands around them."""
    visit, now = _visit(token), clock.now()
    is_campaign = request.args.get("board") == "campaign"
    name = board_name(campaign_id=visit.campaign.id) if is_campaign else WHOLE_BRAND
    found = find_board(db.session, g.brand.id, name)
    mine = queries.around(db.session, found, visit.advocate.id, NEIGHBOURS, now) if found else []
    own = next((row for row in mine if row.is_me), None)
    page = render_template(
        "leaderboards/board.html",
        token=token,
        advocate=visit.advocate,
        campaign=visit.campaign,
        is_campaign=is_campaign,
        top=_top(found, visit, now),
        around=mine if own and own.rank > TOP else [],
        own=own,
        ranked=queries.size(db.session, found) if found else 0,
    )
    return _private(page)


def _top(found: Board | None, visit: Visit, now: datetime) -> list[queries.Row]:
    rows = queries.top(db.session, found, TOP, now) if found else []
    return [queries.as_mine(row) if row.advocate_id == visit.advocate.id else row for row in rows]


@blueprint.get("/board/<token>/why")
@public()
def explain(token: str) -> Response:
    """Every entry of the advocate's score, and what did not count, in plain words."""
    visit = _visit(token)
    explained = why(db.session, visit.advocate, clock.now())
    page = render_template(
        "leaderboards/why.html",
        token=token,
        why=explained,
        lines=explained.counted[:LINES],
        rest=sum(line.worth_hundredths for line in explained.counted[LINES:]),
        causes=CAUSES,
        taken_back=TAKEN_BACK,
        weights=[(text, g.brand.weights.get(cause, 0)) for cause, text in EXPLAINED.items()],
        not_counted=[(_words(one.what, one.verdict), one.n) for one in explained.not_counted],
        channel_label=channel_label,
    )
    return _private(page)


def _words(what: str, verdict: str) -> Any:
    return verdict_words(verdict) if what == "click" else attribution_words(verdict)


def _visit(token: str) -> Visit:
    """Who comes; the brand and their language are set for the page."""
    installation = amplify()
    days = installation.settings.ask_link_days
    visit = read_token(db.session, installation.signer(PURPOSE), token, max_age_days=days)
    g.brand = db.session.get_one(Brand, visit.advocate.brand_id)
    customer = visit.advocate.customer
    if not request.cookies.get("lang"):
        g.language = customer.locale if customer else None
    return visit


def _private(page: str) -> Response:
    response = make_response(page)
    response.headers["Cache-Control"] = "private, no-store"
    return response
