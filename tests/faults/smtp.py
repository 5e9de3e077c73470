"""A campaign over a mail server that refuses, closes, drops, keeps silent and greets late: nothing is missing.

`python3 run.py faults smtp`: 10,000 mails on each database, and once with a planted bug that must be seen.
"""

import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.db import reading
from amplify.delivery.models import Message, Suppression
from amplify.rewards.models import Push
from tests.faults.moody import MoodySink, is_refused_for_good
from tests.faults.sink import Copy
from tests.faults.site import Site
from tests.faults.worker import Row

PATIENCE_SECONDS = 1.0
SECONDS_PER_MAIL = 0.15


@dataclass(frozen=True)
class Owed:
    """What the ledger says of one mail."""

    address: str
    message_id: str
    code: str | None
    state: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """On which database, and how much."""

    database: str
    new_database: Callable[[], str]
    folder: Path
    people: int = 10_000


def moods(plan: Plan, bug: str = "") -> Row:
    """One campaign to everybody; at the end every mail but the refused ones arrived, and no copy differs."""
    began = time.monotonic()
    sink = MoodySink(PATIENCE_SECONDS)
    sink.start()
    one = Site(plan.new_database(), plan.folder / f"{plan.database}-smtp{bug}", sink, bug, plan.people)
    try:
        one.until_ready(one.start_worker(smtp_timeout_seconds=str(PATIENCE_SECONDS)))
        campaign = one.schedule(in_seconds=0.2)
        is_done = one.until(lambda: one.is_done(campaign), 120 + SECONDS_PER_MAIL * plan.people)
        owed, suppressed = _ledger(one, campaign)
        found = wrongs(owed, sink.journal, suppressed) + ([] if is_done else ["it did not come to an end"])
    finally:
        one.close()
        sink.stop()
    repeated = len(sink.journal) - len({copy.message_id for copy in sink.journal})
    met = ", ".join(f"{count} x {mood}" for mood, count in sorted(sink.moods.items()))
    did = f"{plan.people} mails: {met}"
    return Row(plan.database, "a moody mail server", did, found, time.monotonic() - began, repeated, bug=bug)


def _ledger(one: Site, campaign: int) -> tuple[list[Owed], int]:
    columns = sa.select(Message.address, Push.message_id, Push.code, Push.state, Push.reason)
    pushed = columns.join(Message, Message.message_id == Push.message_id).where(Push.campaign_id == campaign)
    with reading(), Session(one.engine) as session:
        owed = [Owed(*row) for row in session.execute(pushed)]
        return owed, session.scalar(sa.select(sa.func.count()).select_from(Suppression)) or 0


def wrongs(owed: Sequence[Owed], journal: Sequence[Copy], suppressed: int) -> list[str]:
    """What is not as it must be, as sentences."""
    copies: dict[str, list[Copy]] = {}
    for copy in journal:
        copies.setdefault(copy.message_id, []).append(copy)
    refused = [one for one in owed if is_refused_for_good(one.address)]
    kept = [one for one in owed if not is_refused_for_good(one.address)]
    counts = Counter(
        {
            "never left": sum(one.message_id not in copies for one in kept),
            "arrived and are not noted as sent": sum(one.state != "sent" for one in kept),
            "were refused for good and are not noted so": sum(one.state != "failed" for one in refused),
            "were refused and arrived": sum(one.message_id in copies for one in refused),
            "carry another code than the ledger": sum(
                any(copy.code != one.code for copy in copies.get(one.message_id, ())) for one in owed
            ),
            "arrived more than twice": sum(len(found) > 2 for found in copies.values()),
        }
    )
    told = [f"{count} {what}" for what, count in counts.items() if count]
    if suppressed != len(refused):
        told.append(f"{suppressed} are suppressed instead of {len(refused)}")
    return told


def plan_of(database: str, new_database: Callable[[], str], folder: Path, options: Namespace) -> Plan:
    """The run that the options ask for."""
    return Plan(database, new_database, folder)


def run(plan: Plan) -> Iterator[Row]:
    """The real program, and the auditor's proof: a server's silence that is taken for a yes loses mails."""
    yield moods(plan)
    yield moods(Plan(plan.database, plan.new_database, plan.folder, 400), bug="silence-is-yes")
