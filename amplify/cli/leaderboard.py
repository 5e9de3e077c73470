"""`amplify leaderboard`: look at a board, and make the standings again from the ledger."""

from threading import Event

import click

from amplify.brands.services import brand_by_slug
from amplify.cli.common import database, json_option, show
from amplify.core import clock
from amplify.core.db import db
from amplify.core.pace import pace_for
from amplify.core.wal import file_of
from amplify.leaderboards import queries, services
from amplify.leaderboards.api import shown_row
from amplify.leaderboards.boards import board_name, find_board

brand_option = click.option("--brand", "slug", required=True, help="The brand's short name.")


@click.group("leaderboard")
def command() -> None:
    """The ranking of advocates."""


@command.command("show")
@brand_option
@click.option("--campaign", "campaign_id", type=int, help="Only this campaign's board.")
@click.option("--location", "location_id", type=int, help="Only this location's board.")
@click.option("--business-line", "business_line_id", type=int, help="Only this business line's board.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
def show_board(
    slug: str, campaign_id: int | None, location_id: int | None, business_line_id: int | None, limit: int, as_json: bool
) -> None:
    """Print the top of a board."""
    with database() as session:
        brand = brand_by_slug(session, slug)
        name = board_name(campaign_id=campaign_id, location_id=location_id, business_line_id=business_line_id)
        board = find_board(session, brand.id, name)
        rows = queries.top(session, board, limit, clock.now()) if board else []
        if as_json:
            show({"board": name[0], "rows": [shown_row(row).model_dump() for row in rows]}, as_json)
            return
        for row in rows:
            click.echo(f"{row.rank:>6}  {row.score:>10.2f}  {row.human_clicks:>6}  {row.conversions:>6}  {row.name}")


@command.command()
@brand_option
@json_option
def rebuild(slug: str, as_json: bool) -> None:
    """Make a brand's standings from nothing, beside those that are shown. Nothing of the ledger is changed."""
    with database() as session:
        making = services.order(session, brand_by_slug(session, slug))
        session.commit()
        pace, moved = pace_for(file_of(str(db.engine.url)), Event()), 1
        while moved:
            with pace.turn("rebuild") as limit:
                moved = services.go_on(session, making, limit)
                session.commit()
        show({"standings": services.made(session, making)}, as_json)
