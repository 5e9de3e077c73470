"""`amplify clicks`: what the operator may say about clicks, from the command line."""

import json

import click

from amplify.cli.common import database, json_option, show
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.tracking import agent_list

ACTOR = "command-line"


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
