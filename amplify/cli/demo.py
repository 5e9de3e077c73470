"""`amplify demo`: the whole product with made-up data on this machine, and where to click."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import click
import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.core import clock, schema
from amplify.core.db import db
from amplify.core.settings import Settings, load
from amplify.core.web import Amplify
from amplify.demo import texts
from amplify.demo.links import Link, links
from amplify.demo.seed import PASSWORD, STAFF, seed
from amplify.sharing.tokens import PURPOSE

FOLDER = Path("var/demo")
SECONDS_TO_START = 60.0


@click.command("demo")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Where it listens.")
@click.option("--reset", is_flag=True, help="Throw the demo's data away and make them again.")
def command(port: int, reset: bool) -> None:
    """Make (once) and serve a demo brand with ninety days of history, on SQLite, with mail printed to the screen."""
    if reset:
        shutil.rmtree(FOLDER, ignore_errors=True)
    if not FOLDER.exists():
        _make()
    settings = _settings(FOLDER, port, mail="console")
    where = _where_to_click(settings)
    _serve(settings, where)


def _settings(folder: Path, port: int, mail: str) -> Settings:
    return load(env="demo", data_dir=folder, port=port, base_url=f"http://127.0.0.1:{port}", mail=mail)


def _make() -> None:
    """In a folder beside, renamed when it is whole: a demo that was interrupted is made again, never half there."""
    making = FOLDER.with_name("demo-in-the-making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    app = create_app(_settings(making, 8000, mail="file"))
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


def _serve(settings: Settings, where: list[Link]) -> None:
    """Web server and worker as one child; a Ctrl-C or SIGTERM here stops them, and their exit code is ours."""
    environ = {
        **os.environ,
        "AMPLIFY_ENV": "demo",
        "AMPLIFY_DATA_DIR": str(settings.data_dir),
        "AMPLIFY_PORT": str(settings.port),
        "AMPLIFY_BASE_URL": settings.base_url,
        "AMPLIFY_MAIL": "console",
    }
    child = subprocess.Popen([sys.executable, "-m", "amplify", "serve"], env=environ)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        if _answers(settings.base_url, child):
            _print(settings.base_url, where)
        code = child.wait()
    except KeyboardInterrupt:  # the terminal sent it to the child too
        code = child.wait(30)
    sys.exit(0 if code in (0, -signal.SIGINT, -signal.SIGTERM) else code)


def _answers(base_url: str, child: "subprocess.Popen[bytes]") -> bool:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and child.poll() is None:
        try:
            urllib.request.urlopen(f"{base_url}/healthz", timeout=2).close()  # noqa: S310  our own address
            return True
        except OSError:
            time.sleep(0.05)
    return False


def _print(base_url: str, where: list[Link]) -> None:
    width = max(len(link.what) for link in where)
    click.echo("\nAmplify is running, with demo data. Where to click:\n")
    for link in where:
        click.echo(f"  {link.what:<{width}}  {base_url}{link.path}")
    click.echo(f"\n  Sign in to the console with password {PASSWORD!r} as")
    for role, email in STAFF.items():
        click.echo(f"    {email:<22} {role}")
    click.echo("\n  Mails appear here. Ctrl-C stops everything.\n")
