"""`amplify brands`: tenants from the command line."""

import click
import sqlalchemy as sa

from amplify.brands.models import Brand
from amplify.brands.services import create_brand
from amplify.cli.common import database, json_option, show


@click.group("brands")
def command() -> None:
    """Brands, the tenants of an installation."""


@command.command()
@click.argument("slug")
@click.option("--name", required=True)
@click.option("--locale", "default_locale", default="en", show_default=True)
@click.option("--timezone", default="UTC", show_default=True, help="For example Europe/Madrid.")
@click.option("--currency", default="USD", show_default=True, help="ISO 4217, for example EUR.")
@click.option("--host", "hosts", multiple=True, help="A host that tracked links may lead to; repeat for more.")
@json_option
def create(
    slug: str, name: str, default_locale: str, timezone: str, currency: str, hosts: tuple[str, ...], as_json: bool
) -> None:
    """Make a brand; SLUG is its short name in addresses."""
    with database() as session:
        brand = create_brand(
            session,
            slug=slug,
            name=name,
            default_locale=default_locale,
            timezone=timezone,
            currency=currency,
            target_hosts=list(hosts),
        )
        session.commit()
        show({"id": brand.id, "brand": brand.slug, "name": brand.name}, as_json)


@command.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """Every brand, one per line."""
    with database() as session:
        for brand in session.scalars(sa.select(Brand).order_by(Brand.slug)):
            show({"brand": brand.slug, "name": brand.name}, as_json)
