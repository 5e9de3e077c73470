"""`amplify tasks`: rewards that staff hands over, donates or unlocks."""

import json

import click

from amplify.accounts.services import acting
from amplify.brands.services import brand_by_slug
from amplify.cli.common import brand_option, database, json_option, person_option, show
from amplify.rewards import tasks
from amplify.rewards.presenting import EDITORS


@click.group("tasks")
def command() -> None:
    """What people have been told of, and somebody has to do."""


@command.command("list")
@brand_option
@json_option
def list_all(slug: str, as_json: bool) -> None:
    """What is to be done, the oldest first."""
    with database() as session:
        told = [
            {
                "id": task.push.id, "what": task.what, "name": task.name, "email": task.email,
                "campaign": task.campaign.name, "amount_minor": task.push.amount_minor, "currency": task.push.currency,
            }
            for task in tasks.open_tasks(session, brand_by_slug(session, slug).id)
        ]  # fmt: skip
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    for one in told:
        click.echo(f"{one['id']:>8}  {one['what']}  for {one['name']}  ({one['campaign']})")


@command.command("done")
@click.argument("task_id", type=int)
@brand_option
@person_option
@json_option
def done(task_id: int, slug: str, person: str, as_json: bool) -> None:
    """Say that a task is done; saying it twice changes nothing."""
    with database() as session:
        brand_id = brand_by_slug(session, slug).id
        user = acting(session, brand_id, person, *EDITORS)
        push = tasks.finish(session, brand_id, task_id, f"user:{user.id}")
        session.commit()
        show({"id": push.id, "state": push.state}, as_json)
