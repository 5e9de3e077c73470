"""The `amplify` command. Each file in this folder brings one group or command under its own name."""

import sys
from importlib import import_module
from pkgutil import iter_modules

import click

from amplify import __version__
from amplify.core.settings import SettingsRefused


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="amplify")
def cli() -> None:
    """Amplify: from a survey answer to a rewarded advocate."""


def _discover() -> None:
    for found in iter_modules(__path__):
        module = import_module(f"{__name__}.{found.name}")
        if command := getattr(module, "command", None):
            cli.add_command(command)


def main() -> None:
    """Run the command line; refused settings end with exit code 2 and one line per problem."""
    _discover()
    try:
        cli()
    except SettingsRefused as refused:
        click.echo(f"amplify refuses to start:\n{refused}", err=True)
        sys.exit(2)
