"""`amplify providers`: a brand's accounts with providers of rewards, and whether they take its keys."""

import json

import click

from amplify.brands.services import brand_by_slug
from amplify.cli.common import brand_option, database, json_option, show
from amplify.core.outgoing import Client, NoAnswer
from amplify.core.settings import load
from amplify.rewards import accounts
from amplify.rewards.providers import Later, Refused, Stalled


@click.group("providers")
def command() -> None:
    """Providers of gift cards and codes."""


@command.command("list")
@brand_option
@json_option
def list_all(slug: str, as_json: bool) -> None:
    """The providers there are, and the brand's accounts with them; keys are never shown."""
    with database() as session:
        brand_id, told = brand_by_slug(session, slug).id, []
        for one in accounts.providers().values():
            account = accounts.find(session, brand_id, one.name)
            since = account.changed_at.isoformat() if account else None
            told.append({"provider": one.name, "address": account.address if account else None, "since": since})
    if as_json:
        click.echo(json.dumps(told))
        return
    for line in told:
        click.echo(f"{line['provider']:<12}  {line['address'] or 'no account'}")


@command.command("test")
@click.argument("provider")
@brand_option
@json_option
def test(provider: str, slug: str, as_json: bool) -> None:
    """Ask PROVIDER for something harmless with the brand's keys; exit code 1 if it does not take them."""
    with database() as session:
        kind = accounts.type_of_provider(provider)
        try:
            counter = accounts.counter(session, Client.of(load()), brand_by_slug(session, slug).id, kind)
            session.rollback()  # nothing is asked inside a transaction
            kind.try_out(counter)
        except (Later, Refused, Stalled, NoAnswer) as error:
            show({"provider": provider, "ok": False, "said": str(error)}, as_json)
            raise SystemExit(1) from error
        show({"provider": provider, "ok": True, "said": ""}, as_json)
