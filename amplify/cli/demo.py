"""`amplify demo`: the whole product with made-up data on this machine, and where to click."""

import os
import shutil
from pathlib import Path

import click

from amplify.cli.serve import run, settle
from amplify.core.settings import PREFIX, Settings
from amplify.demo.shape import fits

FOLDER = Path("var/demo")


@click.command("demo")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Where it listens.")
@click.option("--reset", is_flag=True, help="Throw the demo's data away and make them again.")
def command(port: int, reset: bool) -> None:
    """Make (once) and serve a demo brand with ninety days of history, on SQLite, with mail printed to the screen."""
    if reset:
        shutil.rmtree(FOLDER, ignore_errors=True)
    if FOLDER.exists() and not fits(FOLDER):
        click.echo("The demo's data were made by another version of Amplify: making them again.")
        shutil.rmtree(FOLDER)
    if not FOLDER.exists():
        _make()
    environ = {"ENV": "demo", "DATA_DIR": str(FOLDER), "MAIL": "console", "BASE_URL": f"http://127.0.0.1:{port}"}
    os.environ.update({f"{PREFIX}{name}": value for name, value in environ.items()})
    os.environ.setdefault(f"{PREFIX}LOG_LEVEL", "WARNING")  # what is printed is for whoever tries it out
    settings = settle("127.0.0.1", port)
    run(settings, worker=True, say=lambda: _say(settings))


# The whole application is imported only where it is needed: a second start shows its first page two seconds sooner.


def _make() -> None:
    from amplify.demo.making import make

    make(FOLDER)


def _say(settings: Settings) -> None:
    from amplify.demo.links import where_to_click
    from amplify.demo.seed import PASSWORD, STAFF

    where = where_to_click(settings)
    width = max(len(link.what) for link in where)
    click.echo("\nAmplify is running, with demo data. Where to click:\n")
    for link in where:
        click.echo(f"  {link.what:<{width}}  {settings.base_url}{link.path}")
    click.echo(f"\n  Sign in to the console with password {PASSWORD!r} as")
    for role, email in STAFF.items():
        click.echo(f"    {email:<22} {role}")
    click.echo("\n  Mails appear here. Ctrl-C stops everything.\n")
