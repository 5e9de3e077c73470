"""`amplify exclusions`: the lists of people whom campaigns may leave out."""

import json
from collections.abc import Callable
from pathlib import Path

import click

from amplify.brands.services import brand_by_slug
from amplify.campaigns import exclusions
from amplify.cli.common import database, json_option, show

ACTOR = "command-line"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
brand_option = click.option("--brand", "slug", required=True, help="The brand's short name.")


@click.group("exclusions")
def command() -> None:
    """Lists of people whom campaigns may leave out."""


@command.command("list")
@brand_option
@json_option
def list_all(slug: str, as_json: bool) -> None:
    """The brand's lists, and how many are on each."""
    with database() as session:
        found = exclusions.of_brand(session, brand_by_slug(session, slug).id)
        told = [{"name": row.ExclusionList.name, "people": row.people} for row in found]
    click.echo(json.dumps(told, ensure_ascii=False) if as_json else "\n".join(_line(one) for one in told))


@command.command("create")
@brand_option
@click.argument("name")
@json_option
def create(slug: str, name: str, as_json: bool) -> None:
    """An empty list."""
    with database() as session:
        made = exclusions.create(session, brand_by_slug(session, slug), name, ACTOR)
        session.commit()
        show({"id": made.id, "name": made.name}, as_json)


@command.command("remove")
@brand_option
@click.argument("name")
@json_option
def remove(slug: str, name: str, as_json: bool) -> None:
    """Forget a list that no campaign leaves out any more."""
    with database() as session:
        exclusions.remove(session, exclusions.named(session, brand_by_slug(session, slug).id, name), ACTOR)
        session.commit()
        show({"removed": name}, as_json)


def _verb(name: str, help_text: str, verb: Callable[..., exclusions.Changed]) -> None:
    """Two commands that differ in nothing else."""

    @command.command(name, help=help_text)
    @brand_option
    @click.argument("list_name")
    @click.option("--file", "file", type=FILE, required=True, help="E-mail addresses or ids, first column of a CSV.")
    @json_option
    def said(slug: str, list_name: str, file: Path, as_json: bool) -> None:
        with database() as session, file.open(encoding="utf-8-sig", newline="") as lines:
            chosen = exclusions.named(session, brand_by_slug(session, slug).id, list_name)
            done = verb(session, chosen, lines, ACTOR, after_batch=session.commit)
            session.commit()
            counts = {"changed": done.changed, "as_before": done.as_before, "unknown": done.unknown}
            show(counts | {"unknown_lines": [line for line, _value in done.unknown_lines]}, as_json)


_verb("put-on", "Put the people of a file on a list.", exclusions.put_on)
_verb("take-off", "Take the people of a file off a list.", exclusions.take_off)


def _line(told: dict[str, object]) -> str:
    return f"{told['people']:>8}  {told['name']}"
