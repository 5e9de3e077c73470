"""`amplify brands`: tenants from the command line."""

import click
import sqlalchemy as sa

from amplify.brands.models import Brand
from amplify.brands.services import create_brand
from amplify.campaigns.services import ensure_always_on
from amplify.cli.common import database, json_option, show
from amplify.surveys.models import Survey


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
@click.option("--landing-url", help="Where friends land: with it the brand can ask and share from the first answer.")
@json_option
def create(
    slug: str,
    name: str,
    default_locale: str,
    timezone: str,
    currency: str,
    hosts: tuple[str, ...],
    landing_url: str | None,
    as_json: bool,
) -> None:
    """Make a brand with a first survey, "nps"; SLUG is its short name in addresses."""
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
        session.add(Survey(brand_id=brand.id, key="nps", name="NPS"))
        if landing_url:
            ensure_always_on(session, brand, landing_url, {})
        session.commit()
        show({"id": brand.id, "brand": brand.slug, "name": brand.name}, as_json)


@command.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """Every brand, one per line."""
    with database() as session:
        for brand in session.scalars(sa.select(Brand).order_by(Brand.slug)):
            show({"brand": brand.slug, "name": brand.name}, as_json)
