"""Makes the demo's folder: an empty database, migrated, and the story lived in it, with a bar to watch."""

import shutil
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from amplify.app import create_app
from amplify.core import clock, schema
from amplify.core.db import db
from amplify.core.settings import load
from amplify.demo.seed import seed
from amplify.demo.shape import mark


def make(folder: Path) -> None:
    """In a folder beside, renamed when it is whole: a demo that was interrupted is made again, never half there."""
    making = folder.with_name("demo-in-the-making")
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
    mark(making)
    making.rename(folder)
