"""The leaderboard as staff see it, and as each advocate sees it with their own place in it and the reasons."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, g, render_template, request, url_for
from flask_login import current_user

from amplify.core import clock, nav
from amplify.core.boundary import parse_query
from amplify.core.db import db
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import public, staff
from amplify.core.sheets import csv_response
from amplify.fraud.queries import checks_of
from amplify.fraud.wording import told_words
from amplify.leaderboards import queries
from amplify.leaderboards.appealable import appeals_of
from amplify.leaderboards.asked import asked
from amplify.leaderboards.boards import WHOLE_BRAND, board_name, find_board
from amplify.leaderboards.explain import why
from amplify.leaderboards.filters import board_filters
from amplify.leaderboards.folding import BoardName
from amplify.leaderboards.models import Board
from amplify.leaderboards.places import place
from amplify.leaderboards.reactions import REWARD_ELIGIBLE
from amplify.leaderboards.schemas import BoardFilter, OwnFilter
from amplify.leaderboards.scoring import in_force
from amplify.leaderboards.visiting import private, visit_of
from amplify.leaderboards.wording import CAUSES, EXPLAINED, OUTCOMES, TAKEN_BACK, THINGS, TIES, WINDOWS, words_of
from amplify.sharing.tokens import Visit
from amplify.tracking.console import channel_label

blueprint = Blueprint("leaderboards", __name__)
nav.add("leaderboards.console", _l("Leaderboard"), "trophy", order=50)

SHOWN = 100
EXPORTED = 100_000
TOP = 10
NEIGHBOURS = 2
LINES = 100
# What earns the points of this page; recognition has a place of its own on it.
EARNING = {cause: text for cause, text in EXPLAINED.items() if REWARD_ELIGIBLE[cause]}


@blueprint.get("/console/leaderboard")
@staff()
def console() -> str:
    """A board of the brand, as far back as wanted, of all links or of some."""
    wanted = parse_query(BoardFilter, request)
    found = asked(db.session, g.brand.id, wanted, SHOWN, clock.now())
    rules = in_force(db.session, g.brand.id)
    filters = board_filters(db.session, g.brand.id)
    return render_template(
        "leaderboards/console.html",
        rows=found.rows,
        ranked=found.ranked,
        left_out=[label for name, label, _choices in filters if name in found.left_out],
        wanted=wanted.model_dump(),
        filters=filters,
        windows=WINDOWS,
        half_life_days=rules.half_life_days,
        is_admin="admin" in current_user.role_names,
        tie_words=TIES[rules.tie_rule],
        query=wanted.model_dump(exclude_none=True),
        csv=url_for("leaderboards.export", **wanted.model_dump(exclude_none=True)),
    )


@blueprint.get("/console/leaderboard.csv")
@staff()
def export() -> Response:
    """The same board as a table for a spreadsheet."""
    rows = asked(db.session, g.brand.id, parse_query(BoardFilter, request), EXPORTED, clock.now()).rows
    header = (
        _l("Rank"), _l("Advocate"), _l("Points"), _l("Human clicks"), _l("All requests"), _l("Purchases"),
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


@blueprint.get("/board/<token>")
@public()
def board(token: str) -> Response:
    """The advocate's own view: the first ten, their own place, and who stands around them."""
    visit, now = visit_of(token), clock.now()
    which, name, days = _which(visit)
    found = find_board(db.session, g.brand.id, name, days=days)
    mine = queries.around(db.session, found, visit.advocate.id, NEIGHBOURS, now) if found else []
    own = next((row for row in mine if row.is_me), None)
    page = render_template(
        "leaderboards/board.html",
        token=token,
        advocate=visit.advocate,
        which=which,
        boards=_own_boards(visit),
        days=days,
        top=_top(found, visit, now),
        around=mine if own and own.rank > TOP else [],
        own=own,
        ranked=queries.size(db.session, found) if found else 0,
    )
    return private(page)


def _which(visit: Visit) -> tuple[str, BoardName, int]:
    """The board that is asked for: as the query names it, by its name, and how many days it holds (0: all time)."""
    which = parse_query(OwnFilter, request).board
    name = board_name(campaign_id=visit.campaign.id) if which == "campaign" else WHOLE_BRAND
    return which, name, int(which) if which.isdecimal() else 0


def _own_boards(visit: Visit) -> dict[str, Any]:
    """What an advocate can choose from."""
    days = {which: WINDOWS[which] for which in ("7", "30", "90")}
    return {"all": _l("All time"), **days, "campaign": visit.campaign.name}


def _top(found: Board | None, visit: Visit, now: datetime) -> list[queries.Row]:
    rows = queries.top(db.session, found, TOP, now) if found else []
    return [queries.as_mine(row) if row.advocate_id == visit.advocate.id else row for row in rows]


@blueprint.get("/board/<token>/why")
@public()
def explain(token: str) -> Response:
    """Every entry of the advocate's score, and what did not count, in plain words."""
    visit = visit_of(token)
    which, name, days = _which(visit)
    explained = why(db.session, visit.advocate, clock.now(), name, days=days)
    page = render_template(
        "leaderboards/why.html",
        token=token,
        which=which,
        boards=_own_boards(visit),
        place=place(db.session, visit.advocate, name, days=days),
        why=explained,
        lines=explained.counted[:LINES],
        rest=sum(line.worth_hundredths for line in explained.counted[LINES:]),
        causes=CAUSES,
        taken_back=TAKEN_BACK,
        checks=checks_of(db.session, visit.advocate.id),
        told=told_words,
        weights=[(text, explained.weights.get(cause, 0)) for cause, text in EARNING.items()],
        not_counted=[(one, words_of(one.what, one.verdict)) for one in explained.not_counted],
        appeals=appeals_of(db.session, visit.advocate.id),
        outcomes=OUTCOMES,
        things=THINGS,
        channel_label=channel_label,
    )
    return private(page)
