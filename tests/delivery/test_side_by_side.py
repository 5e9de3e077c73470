"""Several jobs of one worker: they send at the same time, and ask the database one after the other."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import sqlalchemy as sa

from amplify.app import create_app
from amplify.core import schema
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.delivery import sending
from amplify.delivery.models import Message
from amplify.delivery.services import queue_message
from tests.delivery.conftest import CONTEXT
from tests.delivery.mailserver import MailServer
from tests.world import a_brand

JOBS, MAILS = 3, 8


def test_jobs_send_side_by_side_and_look_and_note_one_after_the_other(
    new_database: Callable[[], str], tmp_path: Path, mailserver: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailserver.takes_seconds = 0.1  # eight times: longer than a busy machine looks at a group
    smtp: dict[str, Any] = {"mail": "smtp", "smtp_host": mailserver.host, "smtp_port": mailserver.port}
    settings = Settings(env="test", database_url=new_database(), data_dir=tmp_path, **smtp)
    app, together, errors = create_app(settings), Barrier(JOBS), []
    asking: list[tuple[float, float]] = []
    sent: list[tuple[float, float]] = []

    def timed(act: Callable[..., Any], into: list[tuple[float, float]]) -> Callable[..., Any]:
        def inner(*given: Any) -> Any:
            began = time.monotonic()
            try:
                return act(*given)
            finally:
                into.append((began, time.monotonic()))

        return inner

    for name, into in (("check", asking), ("_note", asking), ("_send_group", sent)):
        monkeypatch.setattr(sending, name, timed(getattr(sending, name), into))

    def job(ids: list[int]) -> None:
        try:
            with app.app_context():
                together.wait(20)
                assert sending.send_batch(db.sessionmaker, settings, ids).sent == MAILS
        except Exception as error:
            errors.append(error)

    with app.app_context():
        schema.upgrade(db.engine)
        brand = a_brand(db.session)
        for n in range(JOBS * MAILS):
            said: dict[str, Any] = {"template": "ask", "locale": "en", "context": CONTEXT}
            queue_message(db.session, brand, address=f"p{n}@friends.example", **said)
        db.session.commit()
        ids = list(db.session.scalars(sa.select(Message.id).order_by(Message.id)))
        db.session.commit()
        threads = [Thread(target=job, args=(ids[n::JOBS],)) for n in range(JOBS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        db.engine.dispose()
    assert errors == []
    assert len(mailserver.mails) == JOBS * MAILS
    assert all(over <= begins for (_began, over), (begins, _over) in pairwise(sorted(asking)))
    assert any(over > begins for (_began, over), (begins, _over) in pairwise(sorted(sent)))
