"""`amplify keys`: API keys and signing keys from the command line. Each secret is shown once."""

import click

from amplify.accounts.services import create_api_key, create_signing_key
from amplify.brands.services import brand_by_slug
from amplify.cli.common import database, json_option, show
from amplify.core.web import amplify

ACTOR = "command-line"


@click.group("keys")
def command() -> None:
    """Keys for machines."""


@command.group()
def create() -> None:
    """Make a key."""


@create.command()
@click.option("--brand", "slug", required=True)
@click.option("--name", required=True, help="What will use it.")
@click.option("--scope", "scopes", multiple=True, required=True, help="For example responses:write; repeat for more.")
@json_option
def api(slug: str, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """An API key for /api/v1."""
    with database() as session:
        brand = brand_by_slug(session, slug)
        row, key = create_api_key(session, brand.id, name=name, scopes=list(scopes), actor=ACTOR)
        session.commit()
        show({"brand": brand.slug, "scopes": " ".join(row.scopes), "key": key}, as_json)


@create.command()
@click.option("--brand", "slug", required=True)
@click.option("--key", required=True, help="The key's name in the address: /in/BRAND/KEY/...")
@click.option("--name", default="", help="What will use it.")
@json_option
def signing(slug: str, key: str, name: str, as_json: bool) -> None:
    """A signing key for postbacks (Standard Webhooks)."""
    with database() as session:
        brand = brand_by_slug(session, slug)
        row, secret = create_signing_key(
            session, brand, key=key, name=name or key, secret_key=amplify().settings.secret, actor=ACTOR
        )
        session.commit()
        show({"brand": brand.slug, "address": f"/in/{brand.slug}/{row.key}/", "secret": secret}, as_json)
