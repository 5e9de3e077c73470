"""`amplify jobs`: how much durable work there is, what was parked, and what to do about it."""

import json
from dataclasses import asdict

import click

from amplify.cli.common import database, json_option, show
from amplify.core import jobs, leases


@click.group("jobs")
def command() -> None:
    """Durable jobs: counts, parked ones, and those of dead workers."""


@command.command("list")
@click.option("--limit", default=100, show_default=True, help="How many parked jobs to list at most.")
@json_option
def list_jobs(limit: int, as_json: bool) -> None:
    """How many jobs are in each state, and the parked ones with their reason."""
    with database() as session:
        counted, parked = jobs.count(session), jobs.parked(session, limit)
    if as_json:
        shown = [{**asdict(one), "parked_at": one.parked_at.isoformat()} for one in parked]
        click.echo(json.dumps({**counted, "parked_jobs": shown}))
        return
    show(counted, False)
    for one in parked:
        click.echo(
            f"\n{one.id}\n  parked {one.parked_at:%Y-%m-%d %H:%M} UTC after attempt {one.attempt}\n  {one.error}"
        )


@command.command()
@click.argument("job_id", required=False)
@click.option("--all", "everything", is_flag=True, help="Every parked job.")
@json_option
def retry(job_id: str | None, everything: bool, as_json: bool) -> None:
    """Put a parked job back, with a fresh budget of attempts. JOB_ID is as `amplify jobs list` shows it."""
    if bool(job_id) == everything:
        raise click.UsageError("Give one JOB_ID, or --all.")
    with database() as session:
        ids = [one.id for one in jobs.parked(session, 1_000_000)] if everything else [job_id or ""]
        retried = sum(jobs.retry(session, one) for one in ids)
        session.commit()
    if job_id and not retried:
        raise click.ClickException(f"no job {job_id} is parked")
    show({"retried": retried}, as_json)


@command.command()
@click.argument("executor", required=False)
@json_option
def adopt(executor: str | None, as_json: bool) -> None:
    """Give the unfinished jobs of dead workers back to the queue at once; of EXECUTOR, or of all that are silent.

    A live worker does this by itself within some seconds.
    """
    with database() as session:
        now = leases.database_now(session)
        alive = {name for name, until in leases.workers(session).items() if until > now}
        if executor in alive:
            raise click.ClickException(f"{executor} is alive")
        dead = [executor] if executor else sorted(jobs.unfinished_of(session).keys() - alive)
        adopted = sum(jobs.adopt(session, one) for one in dead)
        session.commit()
    show({"adopted": adopted}, as_json)
