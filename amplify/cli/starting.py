"""What is checked before anything starts: the database is whole, and it has the shape this version needs."""

import click
import sqlalchemy as sa
import structlog

from amplify.cli.db import engine_of
from amplify.core import schema, wal
from amplify.core.settings import Settings

log = structlog.get_logger(__name__)

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def prepare(settings: Settings) -> None:
    """Check the database; outside production also upgrade it. Raises ClickException with the remedy."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    _check_file(settings)
    engine = engine_of(settings)
    try:
        if schema.is_current(engine):
            return
        if settings.env == "production":
            raise click.ClickException(
                "the database is not up to date; run: amplify db backup, then: amplify db upgrade"
            )
        schema.upgrade(engine)
    except sa.exc.OperationalError as error:
        raise click.ClickException(f"the database is not there: {str(error.orig).strip()}") from error
    finally:
        engine.dispose()


def _check_file(settings: Settings) -> None:
    file = wal.file_of(settings.database)
    if file is None or not wal.was_left_open(file):
        return
    try:
        log.info("database checked after a crash", check=wal.check(file))
    except wal.Damaged as damage:
        raise click.ClickException(
            f"{file} is damaged: {damage}. Keep it, put the latest backup in its place, and start again."
        ) from damage


def check_secret(settings: Settings, host: str) -> None:
    """The stand-in secret is known to everybody: with it, only this machine may reach us. Raises ClickException."""
    if not settings.secret_key and host not in LOOPBACK:
        raise click.ClickException(
            f"listening on {host} needs a secret_key; make one with `amplify config secret` and set AMPLIFY_SECRET_KEY"
        )
