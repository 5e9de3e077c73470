"""`amplify users`: staff accounts from the command line."""

import secrets

import click

from amplify.accounts.services import create_user
from amplify.brands.services import brand_by_slug
from amplify.cli.common import database, json_option, show
from amplify.core.security import ROLES

GENERATED_BYTES = 15


@click.group("users")
def command() -> None:
    """Staff accounts."""


@command.command()
@click.option("--brand", "slug", required=True, help="The brand's short name.")
@click.option("--email", required=True)
@click.option("--role", type=click.Choice(ROLES), default="marketer", show_default=True)
@click.option("--name", default="", help="What the person is called.")
@click.option("--locale", type=click.Choice(["en", "es"]), help="The brand's language if not given.")
@click.option("--ask-password", is_flag=True, help="Type the password instead of having one made.")
@json_option
def create(slug: str, email: str, role: str, name: str, locale: str | None, ask_password: bool, as_json: bool) -> None:
    """Make an account. Without --ask-password a password is made and shown once."""
    made = None if ask_password else secrets.token_urlsafe(GENERATED_BYTES)
    password = made or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with database() as session:
        brand = brand_by_slug(session, slug)
        user = create_user(
            session, brand, email=email, role=role, password=password, name=name, locale=locale, actor="command-line"
        )
        session.commit()
        shown = {"id": user.id, "brand": brand.slug, "email": user.email, "role": role}
    show({**shown, **({"password": made} if made else {})}, as_json)
