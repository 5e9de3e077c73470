"""`amplify demo`: the whole product with made-up data on this machine, and where to click."""

import os
import shutil
from pathlib import Path

import click
import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.cli.serve import run, settle
from amplify.core import clock, schema
from amplify.core.db import db
from amplify.core.settings import PREFIX, Settings, load
from amplify.core.web import Amplify
from amplify.demo import texts
from amplify.demo.links import Link, links
from amplify.demo.seed import PASSWORD, STAFF, seed
from amplify.sharing.tokens import PURPOSE

FOLDER = Path("var/demo")


@click.command("demo")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Where it listens.")
@click.option("--reset", is_flag=True, help="Throw the demo's data away and make them again.")
def command(port: int, reset: bool) -> None:
    """Make (once) and serve a demo brand with ninety days of history, on SQLite, with mail printed to the screen."""
    if reset:
        shutil.rmtree(FOLDER, ignore_errors=True)
    if not FOLDER.exists():
        _make()
    environ = {"ENV": "demo", "DATA_DIR": str(FOLDER), "MAIL": "console", "BASE_URL": f"http://127.0.0.1:{port}"}
    os.environ.update({f"{PREFIX}{name}": value for name, value in environ.items()})
    settings = settle("127.0.0.1", port)
    where = _where_to_click(settings)
    run(settings, worker=True, say=lambda: _print(settings.base_url, where))


def _make() -> None:
    """In a folder beside, renamed when it is whole: a demo that was interrupted is made again, never half there."""
    making = FOLDER.with_name("demo-in-the-making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    app = create_app(load(env="demo", data_dir=making, mail="file"))
    console = Console()
    console.print("Making ninety days of Brisa Hotels, an invented brand: answers, shares, clicks, orders, rewards.")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("day {task.completed:.0f}"),
        TimeElapsedColumn(),
    )
    with app.app_context(), Progress(*columns, console=console) as progress:
        schema.upgrade(db.engine)
        bar = progress.add_task("history")
        seed(db.session, clock.now(), lambda done, of: progress.update(bar, completed=done, total=of))
        db.session.close()
        db.engine.dispose()
    making.rename(FOLDER)


def _where_to_click(settings: Settings) -> list[Link]:
    app = create_app(settings)
    with app.app_context():
        schema.upgrade(db.engine)
        brand = db.session.scalars(sa.select(Brand).where(Brand.slug == texts.SLUG)).one()
        found = links(db.session, brand.id, Amplify(settings).signer(PURPOSE))
        db.engine.dispose()
    return found


def _print(base_url: str, where: list[Link]) -> None:
    width = max(len(link.what) for link in where)
    click.echo("\nAmplify is running, with demo data. Where to click:\n")
    for link in where:
        click.echo(f"  {link.what:<{width}}  {base_url}{link.path}")
    click.echo(f"\n  Sign in to the console with password {PASSWORD!r} as")
    for role, email in STAFF.items():
        click.echo(f"    {email:<22} {role}")
    click.echo("\n  Mails appear here. Ctrl-C stops everything.\n")
