"""One mail as a task of a queue does it: read its row, write it, send it over a connection that is kept, note it.

The same templates, the same functions that write and encode as ours; no look at whether it may still leave.
BENCH_DATABASE and BENCH_SMTP_PORT say where, BENCH_REDIS where the broker is, BENCH_DIR where files may lie.
"""

import os
import smtplib
from functools import lru_cache
from pathlib import Path
from threading import local
from typing import Any

import psycopg
from flask import Flask
from psycopg.rows import dict_row

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.core.settings import Settings
from amplify.delivery.envelope import Outgoing, compose
from amplify.delivery.models import Message
from amplify.delivery.render import render, unsubscribe_url

COLUMNS = "id, brand_id, message_id, template, locale, address, person, context, is_marketing"
READ = f"SELECT {COLUMNS} FROM messages WHERE id = %s"  # noqa: S608  our own names
NOTE = "UPDATE messages SET state = 'sent', sent_at = now(), attempts = attempts + 1 WHERE id = %s"

_own = local()


@lru_cache(1)
def application() -> Flask:
    """Made once a process."""
    settings = Settings(env="test", database_url=os.environ["BENCH_DATABASE"], data_dir=Path(os.environ["BENCH_DIR"]))
    return create_app(settings)


def send_one(number: int) -> None:
    """The task."""
    if not hasattr(_own, "server"):
        _own.server = smtplib.SMTP("127.0.0.1", int(os.environ["BENCH_SMTP_PORT"]), local_hostname="peer")
        _own.database = psycopg.connect(os.environ["BENCH_DATABASE"], autocommit=True, row_factory=dict_row)
        _own.brand = Brand(**_own.database.execute("SELECT * FROM brands").fetchone())
    row: dict[str, Any] = _own.database.execute(READ, (number,)).fetchone()
    message = Message(**row)
    with application().app_context():
        rendered, unsubscribe = render(message, _own.brand), unsubscribe_url(message)
    said = (message.message_id, message.address, "Bench <hello@bench.example>", _own.brand.name, rendered, unsubscribe)
    _own.server.sendmail("hello@bench.example", [message.address], compose(Outgoing(*said)))
    _own.database.execute(NOTE, (number,))
