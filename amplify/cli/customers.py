"""`amplify customers`: what people may ask about their own data, from the command line."""

import json

import click

from amplify.brands.services import brand_by_slug
from amplify.cli.common import database, json_option, show
from amplify.customers import queries, services

ACTOR = "command-line"
brand_option = click.option("--brand", "slug", required=True, help="The brand's short name.")


@click.group("customers")
def command() -> None:
    """One person's data: WHO is their e-mail address or external id."""


@command.command()
@click.argument("who")
@brand_option
def export(who: str, slug: str) -> None:
    """Print everything that is kept about one person, as JSON."""
    with database() as session:
        customer = queries.only(session, brand_by_slug(session, slug).id, who)
        click.echo(json.dumps(services.export_person(session, customer), ensure_ascii=False, indent=2))


@command.command()
@click.argument("who")
@brand_option
@click.option("--yes", is_flag=True, help="Do not ask whether you are sure.")
@json_option
def erase(who: str, slug: str, yes: bool, as_json: bool) -> None:
    """Forget one person. Links, points and rewards remain, without saying whose they were. Cannot be undone."""
    with database() as session:
        customer = queries.only(session, brand_by_slug(session, slug).id, who)
        session.rollback()  # nobody waits for the database while a person makes up their mind
        if not yes:
            click.confirm(f"Erase customer {customer.id}?", abort=True)
        services.erase(session, queries.get(session, customer.brand_id, customer.id), ACTOR)
        session.commit()
        show({"erased": customer.id}, as_json)
