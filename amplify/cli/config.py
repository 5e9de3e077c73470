"""`amplify config`: the settings in force, where each is from, and a new secret."""

import json
import os
from typing import Any

import click
from sqlalchemy import make_url

from amplify.cli.common import json_option
from amplify.core.settings import SECRETS, Settings, read
from amplify.core.tokens import secret_key

MASK = "***"


def masked(name: str, value: Any) -> Any:
    """A value as it may be shown."""
    if name in SECRETS:
        return MASK if value else ""
    if name == "database_url" and value:
        return make_url(value).render_as_string(hide_password=True)
    return value


@click.group("config", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show the settings in force and where each is from. Secrets are masked.

    A setting x is given by AMPLIFY_X, by a file that AMPLIFY_X_FILE names, or as x in the TOML file that
    AMPLIFY_CONFIG names; the environment wins.
    """
    if context.invoked_subcommand:
        return
    settings, given = read(os.environ)
    values = settings.model_dump(mode="json")
    if as_json:
        told = {
            name: {"value": masked(name, values[name]), "from": given[name].origin} for name in Settings.model_fields
        }
        click.echo(json.dumps(told))
        return
    width = max(map(len, values))
    for name in Settings.model_fields:
        origin = "" if given[name].origin == "default" else f"  ({given[name].origin})"
        click.echo(f"{name:<{width}}  {masked(name, values[name])}{origin}")


@command.command()
@json_option
def secret(as_json: bool) -> None:
    """Make a secret fit for secret_key or metrics_token (256 bits)."""
    made = secret_key()
    click.echo(json.dumps({"secret": made}) if as_json else made)
