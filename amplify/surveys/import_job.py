"""Drives imports, one short transaction per chunk: the worker's job, and the loop that the command line uses too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from amplify.brands.models import Brand
from amplify.core.db import db, reading
from amplify.core.errors import AmplifyError
from amplify.core.jobs import job
from amplify.surveys import importing, rows
from amplify.surveys.models import ImportRun
from amplify.surveys.words import FILE_GONE

JOB = "surveys.import"


@job(JOB, attempts=10)
def work(payload: dict[str, Any]) -> None:
    """The dry run or the run of `payload["run"]`, whichever its state asks for. Cut off, it goes on where it was."""
    run_id = payload["run"]
    state = _look(run_id).state
    try:
        if state == "checking":
            check(run_id)
        elif state == "running":
            run(run_id)
    except (AmplifyError, FileNotFoundError) as error:
        # The file or the mapping is at fault: trying again would not help.
        _fail(run_id, error)
    _drop_served(_look(run_id))


def _look(run_id: int) -> ImportRun:
    with reading():
        found = db.session.get_one(ImportRun, run_id, populate_existing=True)
        db.session.commit()
    return found


def _drop_served(one: ImportRun) -> None:
    """Nobody goes on with this upload: done, or failed after its first rows. Also when a crash came in between."""
    if one.state == "done" or (one.state == "failed" and one.lines_done):
        Path(one.file_path).unlink(missing_ok=True)


def _fail(run_id: int, error: Exception) -> None:
    db.session.rollback()
    reasons = [str(fault.message) for fault in error.faults or (error,)] if isinstance(error, AmplifyError) else []
    reason = " ".join(reasons) or FILE_GONE
    one = db.session.get_one(ImportRun, run_id)
    if one.state != "failed":  # whoever took the file away has said why
        importing.fail(one, reason)
    db.session.commit()


def check(run_id: int) -> None:
    """The dry run of an uploaded file. Everything is read before the writer's lock is taken."""
    with reading():
        one, brand = _open(run_id)
        report = importing.check(db.session, brand, Path(one.file_path), importing.mapping_of(one))
        db.session.commit()
    one = db.session.get_one(ImportRun, run_id, populate_existing=True)
    if one.state == "checking":
        importing.keep_report(db.session, one, report)
    db.session.commit()


def run(run_id: int, on_chunk: Callable[[ImportRun], None] = lambda one: None, *, size: int = rows.CHUNK) -> ImportRun:
    """The real run from its cursor to the end, `size` rows a transaction. `on_chunk` hears after each commit.

    Raises what the file or the mapping is at fault for; rows stored before stay.
    """
    with reading():
        one, brand = _open(run_id)
        db.session.commit()  # nothing is held while rows are read
    chosen = importing.mapping_of(one)
    start = one.lines_done
    for chunk in rows.chunks(Path(one.file_path), chosen, skip=start, size=size):
        if not importing.take(db.session, brand, one, chosen, chunk, start):
            db.session.rollback()
            return one
        db.session.commit()
        start = one.lines_done
        on_chunk(one)
    importing.finish(db.session, one)
    db.session.commit()
    return one


def _open(run_id: int) -> tuple[ImportRun, Brand]:
    one = db.session.get_one(ImportRun, run_id)
    return one, db.session.get_one(Brand, one.brand_id)
