"""Measures the verdicts on the labelled requests: `python -m tools.clicks` prints the figures and a line per family.

--at-once N   judge so many requests at once; with one (the default) each before anything of the next is known
--make        write the set anew from its tables (tests/fixtures/clicks/*.toml)
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.orm import Session

from amplify.app import create_app
from amplify.core import jobs
from amplify.core.db import Base, db
from amplify.core.settings import Settings
from amplify.tracking.verdicts import RULES_VERSION
from tools.clicks import report, scenes
from tools.clicks.replay import replay
from tools.clicks.requests import FILE, read, write


@contextmanager
def empty_database() -> Iterator[Session]:
    """A whole application on an SQLite file that is gone afterwards."""
    with TemporaryDirectory() as folder:
        data = Path(folder)
        app = create_app(Settings(env="test", data_dir=data, database_url=f"sqlite:///{data / 'replay.db'}"))
        with app.app_context():
            Base.metadata.create_all(db.engine)
            jobs.create_tables(db.engine)
            yield db.session
            db.session.rollback()
            db.engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--at-once", type=int, default=1, help="how many requests are judged at once")
    parser.add_argument("--make", action="store_true", help="write the set anew from its tables")
    given = parser.parse_args()
    if given.make:
        write(scenes.make())
        print(FILE)
        return
    requests = read()
    with empty_database() as session:
        judged = replay(session, requests, at_once=given.at_once)
    agents = len({request.agent for request in requests})
    print(f"Rule set {RULES_VERSION}, {len(requests):,} requests, {agents:,} different agents.\n")
    print("\n".join([*report.summary(judged), "", *report.table(judged)]))


if __name__ == "__main__":
    main()
