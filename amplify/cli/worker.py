"""`amplify worker`: one process behind the pages; any number may run on one database."""

import os

import click

from amplify import worker
from amplify.cli.starting import prepare
from amplify.core import bulk, logs, parent
from amplify.core.settings import load


@click.command("worker")
@click.option("--supervised", is_flag=True, hidden=True, help="Started by `amplify serve`, which prepared everything.")
def command(supervised: bool) -> None:
    """Run the rounds, the clock and the durable jobs until SIGTERM or Ctrl-C."""
    settings = load()
    os.nice(settings.worker_nice)  # people who click or look at a page come first
    logs.configure(settings, process="worker")
    bulk.expect_many_rows()
    if supervised:
        parent.end_with_it()
    else:
        prepare(settings)
    worker.run_until_told(worker.Worker(settings))
