"""The leaderboard over HTTP, read only."""

from apiflask import APIBlueprint
from flask import g

from amplify.core import clock
from amplify.core.boundary import takes_query
from amplify.core.db import db
from amplify.core.security import api
from amplify.leaderboards import queries
from amplify.leaderboards.asked import asked
from amplify.leaderboards.rated import MIN_CLICKS, RateRow, rated
from amplify.leaderboards.schemas import BoardOut, BoardQuery, RankedOut, RatedOut, RatesOut
from amplify.leaderboards.scoring import in_force

blueprint = APIBlueprint("leaderboard", __name__, url_prefix="/api/v1/leaderboard", tag="Leaderboard")


@blueprint.get("")
@api("leaderboards:read")
@takes_query(BoardQuery)
@blueprint.output(BoardOut)
@blueprint.doc(
    summary="The top of a board",
    description="All time takes one filter: a location, else a business line, else a channel, else a campaign; scores "
    "lose half of their worth every half-life. The last 7, 30 or 90 days and a campaign's period take every filter "
    "together and are not decayed. Only advocates with points that count toward rewards are ranked.",
)
def top(query: BoardQuery) -> dict[str, object]:
    """The first advocates of one board."""
    now = clock.now()
    found, rules = asked(db.session, g.brand.id, query, query.limit, now), in_force(db.session, g.brand.id)
    shown = BoardOut(
        board=found.kind,
        window=query.window,
        half_life_days=rules.half_life_days,
        tie_rule=rules.tie_rule,
        left_out=list(found.left_out),
        ranked=found.ranked,
        as_of=now,
        rows=[shown_row(row) for row in found.rows],
    )
    return shown.model_dump(mode="json")


@blueprint.get("/rates")
@api("leaderboards:read")
@takes_query(BoardQuery)
@blueprint.output(RatesOut)
@blueprint.doc(
    summary="The top of a board by rate",
    description="Purchases per human click, shrunk toward the brand's mean (empirical Bayes, beta-binomial), ranked by "
    "the lower end of the 95 % credible interval, so that luck with few clicks does not stand first.",
)
def rates(query: BoardQuery) -> dict[str, object]:
    """The first advocates by rate."""
    now = clock.now()
    found = rated(db.session, g.brand.id, query, query.limit, now)
    shown = RatesOut(
        window=query.window,
        left_out=list(found.left_out),
        mean=round(found.prior.mean, 5),
        strength=round(found.prior.strength, 1),
        least_clicks=MIN_CLICKS,
        ranked=found.ranked,
        too_few=found.too_few,
        as_of=now,
        rows=[shown_rate(row) for row in found.rows],
    )
    return shown.model_dump(mode="json")


def shown_rate(row: RateRow) -> RatedOut:
    """One line as machines get it."""
    return RatedOut(
        rank=row.rank,
        advocate=row.name,
        rate=round(row.rate.mean, 5),
        low=round(row.rate.low, 5),
        high=round(row.rate.high, 5),
        conversions=row.conversions,
        human_clicks=row.human_clicks,
    )


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
