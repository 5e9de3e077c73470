"""How far long work is, for people who wait: on stderr, so that stdout can be read by a program."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(what: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """A function to be told how many are done: a bar on a terminal, a line each time elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda n: click.echo(f"{n} of {total} {what}", err=True)
        return
    columns = (TextColumn(what.capitalize()), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=total, completed=done)
        yield lambda n: bar.update(task, completed=n)
