"""The `amplify` command. Each file in this folder brings one group or command under its own name."""

import sys
from importlib import import_module
from pkgutil import iter_modules

import click

from amplify import __version__
from amplify.core.settings import SettingsRefused


class Commands(click.Group):
    """Imports the one file that a command stands in, if it bears its name; `amplify serve` starts twice as fast so."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            _add(cmd_name) if cmd_name in _files() else _discover()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        _discover()
        return super().list_commands(ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="amplify")
def cli() -> None:
    """Amplify: from a survey answer to a rewarded advocate."""


def _files() -> set[str]:
    return {found.name for found in iter_modules(__path__)}


def _add(file: str) -> None:
    if command := getattr(import_module(f"{__name__}.{file}"), "command", None):
        cli.add_command(command)


def _discover() -> None:
    for file in sorted(_files()):
        _add(file)


def main() -> None:
    """Run the command line; refused settings end with exit code 2 and one line per problem."""
    try:
        cli()
    except SettingsRefused as refused:
        click.echo(f"amplify refuses to start:\n{refused}", err=True)
        sys.exit(2)
