"""What a worker does for a campaign, in a process of its own that may be killed: rings the clock, plans, orders, sends.

python -m tests.rewards.worker_process DATABASE DATA_DIR SMTP_PORT
"""

import sys
from pathlib import Path

from amplify.app import create_app
from amplify.campaigns import services as campaigns
from amplify.core import jobs
from amplify.core.db import db
from amplify.core.failpoints import reach
from amplify.core.settings import Settings
from amplify.delivery.jobs import release_due
from amplify.leaderboards import freezing
from amplify.leaderboards.services import project
from amplify.rewards import planning
from amplify.rewards.milestones import milestones
from tests.rewards.making import START

# Small, so that few people make many transactions.
planning.CHUNK, planning.AT_ONCE, freezing.AT_ONCE = 7, 0, 2


def work() -> None:
    """Until nothing is left to do."""
    campaigns.ring(db.session, START)
    db.session.commit()
    while _round() + jobs.drain(db.session) + release_due(db.session, 8):
        db.session.commit()


def _round() -> int:
    """The rounds that milestones follow; a transaction each, as the worker does it."""
    moved = 0
    for work in (project, milestones):
        moved += work(db.session, 9)
        db.session.commit()
        reach(f"{work.__name__}-after-commit")
    return moved


if __name__ == "__main__":
    database, folder, port = sys.argv[1:]
    settings = Settings(
        env="test", database_url=database, data_dir=Path(folder), mail="smtp", smtp_port=int(port),
        mail_from="Acme <hello@acme.example>",
    )  # fmt: skip
    with create_app(settings).app_context():
        print("ready", flush=True)
        work()
