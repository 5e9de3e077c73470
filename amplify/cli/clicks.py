"""`amplify clicks`: what the operator may say about clicks, and judging them again, from the command line."""

import json
import time
from datetime import UTC, datetime

import click

from amplify.accounts import brand_settings
from amplify.brands.policy import change_policy
from amplify.brands.services import brand_by_slug
from amplify.cli.common import database, json_option, show
from amplify.cli.progress import progress
from amplify.core.db import db, reading
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.web import amplify
from amplify.tracking import agent_list, retention
from amplify.tracking import reclassify as again
from amplify.tracking.models import Reclassification

ACTOR = "command-line"
BATCH = 500


@click.group("clicks")
def command() -> None:
    """Clicks and who made them."""


@command.group()
def agents() -> None:
    """The installation's own list of user agents: what the built-in lists do not know, or get wrong."""


@agents.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """Every entry, one a line."""
    with database() as session:
        for row in agent_list.patterns(session):
            entry = {"pattern": row.pattern, "kind": row.kind, "on": row.is_on, "note": row.note, "by": row.created_by}
            line = f"{row.kind:<8}  {'on ' if row.is_on else 'off'}  {row.pattern}  {row.note}"
            click.echo(json.dumps(entry, ensure_ascii=False) if as_json else line.rstrip())


@agents.command()
@click.argument("pattern")
@click.option("--kind", type=click.Choice(agent_list.KINDS), required=True, help="What an agent with this in it is.")
@click.option("--note", default="", help="Where it was seen.")
@json_option
def add(pattern: str, kind: str, note: str, as_json: bool) -> None:
    """Say what agents are that hold PATTERN, in any case."""
    with database() as session:
        row = agent_list.add(session, pattern, kind, note=note, actor=ACTOR)
        session.commit()
        show({"pattern": row.pattern, "kind": row.kind}, as_json)


@agents.command()
@click.argument("pattern")
@json_option
def remove(pattern: str, as_json: bool) -> None:
    """Forget the entry PATTERN."""
    with database() as session:
        found = [row for row in agent_list.patterns(session) if row.pattern == pattern.lower()]
        if not found:
            raise NotFound(_l("There is no such entry."), field="pattern", rule="unknown")
        agent_list.remove(session, found[0])
        session.commit()
        show({"removed": found[0].pattern}, as_json)


@command.command()
@click.option("--brand", "slug", required=True, help="The brand, by its short name.")
@click.option("--days", type=int, help="Remove single clicks after so many days.")
@click.option("--for-ever", is_flag=True, help="Remove none any more.")
@json_option
def keep(slug: str, days: int | None, for_ever: bool, as_json: bool) -> None:
    """Say how long a brand's single clicks are kept; without a number, show it.

    A worker removes older ones, day by day. What they were counted as stays, and so do points and orders.
    """
    if days is not None and for_ever:
        raise click.UsageError("Either --days or --for-ever.")
    with database() as session:
        brand = brand_by_slug(session, slug)
        if days is not None or for_ever:
            least = amplify().settings.attribution_days
            changed = change_policy(session, brand, {"keep_clicks_days": days}, attribution_days=least)
            brand_settings.note(session, brand, changed, ACTOR)
            session.commit()
        removed = retention.count_removed(session, brand.id)
        show({"brand": brand.slug, "keep_clicks_days": brand.keep_clicks_days, "removed": removed}, as_json)


@command.command()
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The first day (UTC) whose clicks are judged."
)
@click.option("--brand", "slug", help="Only this brand's clicks, by its short name.")
@json_option
def reclassify(since: datetime, slug: str | None, as_json: bool) -> None:
    """Judge stored clicks again under the rules of this version, and put right what had followed from them.

    Points are taken back and given by entries of their own; nothing in the ledger is changed. Cut off, the same
    command goes on where it was, and so does a worker by itself.
    """
    began = time.monotonic()
    with database() as session:
        day = since.replace(tzinfo=UTC)
        with reading():  # to count may take long; clicks are stored meanwhile
            brand_id = brand_by_slug(session, slug).id if slug else None
            extent = again.extent_of(session, day, brand_id)
            session.commit()
        run = again.open_run(session, day, brand_id, extent)
        session.commit()
        removed = retention.count_removed(session, brand_id, day)
        if removed:
            message = _l(
                "%(n)s clicks of this time are removed: what is left of their days keeps its verdicts.", n=removed
            )
            click.echo(str(message), err=True)
        _go_on(run)
        show(
            {
                "run": run.id,
                "rules_version": run.rules_version,
                "judged": run.judged,
                "changed": run.changed,
                "now_human": run.gained,
                "no_longer_human": run.lost,
                "removed": removed,
                "seconds": round(time.monotonic() - began, 2),
            },
            as_json,
        )


def _go_on(run: Reclassification) -> None:
    """To the end of this run; what was begun before it comes first. A worker may lend a hand."""
    with progress("clicks", run.total, run.judged) as moved:
        while run.judged_at is None:
            _step(run)
            moved(run.judged)
    with progress("corrections", run.gained + run.lost, run.corrected) as moved:
        while run.finished_at is None:
            _step(run)
            moved(run.corrected)


def _step(run: Reclassification) -> None:
    again.reclassify(db.session, BATCH)
    db.session.refresh(run)  # a worker may have moved it on
    db.session.commit()
