"""What commands share: the application around them, errors as one line, and output for people or programs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.orm import Session

from amplify.core.db import db
from amplify.core.errors import AmplifyError

brand_option = click.option("--brand", "slug", required=True, help="The brand's short name.")
person_option = click.option("--as", "person", required=True, help="Who acts: the e-mail address of one of the staff.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")


@contextmanager
def database() -> Iterator[Session]:
    """A session inside the application; what a rule refuses ends the command with exit code 1 and one line."""
    from amplify.app import create_app  # late: `amplify serve` itself needs no application

    with create_app().app_context():
        try:
            yield db.session
        except AmplifyError as refused:
            db.session.rollback()
            where = f"{refused.field}: " if refused.field else ""
            raise click.ClickException(f"{where}{refused.message}") from refused
        finally:
            db.session.close()
            db.engine.dispose()


def show(values: dict[str, Any], as_json: bool) -> None:
    """One line of JSON, or one line per value."""
    if as_json:
        click.echo(json.dumps(values, ensure_ascii=False))
        return
    width = max(map(len, values), default=0)
    for name, value in values.items():
        click.echo(f"{name:<{width}}  {value}")
