"""`amplify approvals`: rewards that wait for two people, as somebody of the staff."""

import json
from collections.abc import Callable
from typing import Any

import click

from amplify.accounts.services import acting
from amplify.brands.services import brand_by_slug
from amplify.cli.common import brand_option, database, json_option, person_option, show
from amplify.rewards import approving
from amplify.rewards.presenting import EDITORS


@click.group("approvals")
def command() -> None:
    """Rewards above the brand's limit, which leave once two people have agreed."""


@command.command("list")
@brand_option
@json_option
def list_all(slug: str, as_json: bool) -> None:
    """What waits, the oldest first."""
    with database() as session:
        brand_id = brand_by_slug(session, slug).id
        told = [_told(row) for row in approving.waiting(session, brand_id, approving.count_waiting(session, brand_id))]
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    for one in told:
        agreed = one["agreed"] or "nobody yet"
        money = f"{one['amount_minor']} {one['currency']}"
        click.echo(f"{one['id']:>8}  {money:>14}  {one['name']}  ({one['campaign']}; agreed: {agreed})")


def _told(row: Any) -> dict[str, Any]:
    push = row.Push
    money = {"amount_minor": push.amount_minor, "currency": push.currency}
    return {"id": push.id, "name": row.name, "campaign": row.Campaign.name, **money, "agreed": push.approved_by}


def _decision(name: str, help_text: str, decide: Callable[..., dict[str, Any]]) -> None:
    @command.command(name, help=help_text)
    @click.argument("ids", type=int, nargs=-1, required=True)
    @brand_option
    @person_option
    @json_option
    def said(ids: tuple[int, ...], slug: str, person: str, as_json: bool) -> None:
        with database() as session:
            brand_id = brand_by_slug(session, slug).id
            user = acting(session, brand_id, person, *EDITORS)
            told = decide(session, brand_id, ids, f"user:{user.id}")
            session.commit()
            show(told, as_json)


def _approve(session: Any, brand_id: int, ids: tuple[int, ...], actor: str) -> dict[str, Any]:
    done = approving.approve(session, brand_id, ids, actor)
    return {"approved": done.second, "agreed": done.first, "wait_for_somebody_else": done.own}


def _refuse(session: Any, brand_id: int, ids: tuple[int, ...], actor: str) -> dict[str, Any]:
    return {"refused": approving.refuse(session, brand_id, ids, actor)}


_decision("approve", "Agree to these; whoever agreed before cannot be the second.", _approve)
_decision("refuse", "Say no to these: they are cancelled, and their amounts go back to the budget.", _refuse)
