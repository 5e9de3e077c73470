"""Kills workers in mid-campaign, starts campaigns twice, repeats what was sent; then counts what was lost or doubled.

Rows with a planted bug run the same fault on a program that is wrong: there the auditor must find something.
"""

import random
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.signing import create_signing_key
from amplify.app import create_app
from amplify.campaigns import services as campaigns
from amplify.core import clock
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.delivery.sending import GROUP
from amplify.surveys.models import Response
from tests.delivery.mailserver import MailServer
from tests.faults import audit
from tests.faults.site import Process, Site, site
from tests.installation import Installation

# How long the mail server thinks about each mail: makes "in mid-campaign" last, and the moment of sending long.
DELAY_SECONDS = 0.02
KILLS_PER_CAMPAIGN = 6


@dataclass(frozen=True)
class Row:
    """What one fault on one database came to. `caught`: for a planted bug, whether the auditor saw it."""

    database: str
    fault: str
    did: str
    wrongs: list[str]
    seconds: float
    repeated: int = 0
    kills: int = 0
    recovery_seconds: float = 0.0
    bug: str = ""

    @property
    def ok(self) -> bool:
        return bool(self.wrongs) if self.bug else not self.wrongs


@dataclass(frozen=True)
class Plan:
    """On which database, how much, and with which dice."""

    database: str
    new_database: Callable[[], str]
    folder: Path
    kills: int = 20
    people: int = 600
    seed: int = 1
    minutes: float = 0.0  # 0: as long as it takes

    def place(self, name: str) -> Path:
        return self.folder / f"{self.database}-{name}"


# --- replay: the same signed webhook, five times at once --------------------------------------------------


def replay(plan: Plan, answers: int = 10, copies: int = 5, bug: str = "") -> Row:
    """Each answer is sent `copies` times in parallel; each must be one row, and told as stored each time."""
    began = time.monotonic()
    with site(plan.new_database(), plan.place(f"replay{bug}"), bug=bug, people=0) as one:
        statuses = _send_again_and_again(one, answers, copies)
        with one.engine.connect() as connection, connection.begin():
            stored = connection.scalar(sa.select(sa.func.count()).select_from(Response)) or 0
    wrongs = [] if stored == answers else [f"{stored} answers are stored instead of {answers}"]
    if statuses.count(201) != answers or statuses.count(200) != answers * (copies - 1):
        wrongs.append(f"answered with {sorted(set(statuses))}, {statuses.count(201)} of them 201")
    did = f"{answers} webhooks, each {copies} times at once"
    return Row(plan.database, "replay", did, wrongs, time.monotonic() - began, bug=bug)


def _send_again_and_again(one: Site, answers: int, copies: int) -> list[int]:
    with Session(one.engine) as session, session.begin():
        secret_key = Settings(env="test").secret
        words = {"key": "shop", "name": "Shop", "secret_key": secret_key, "actor": "test"}
        secret = create_signing_key(session, one.brand, **words)[1]
    pages, url = one.start_pages()
    install = Installation({"AMPLIFY_BASE_URL": url}, mails=MailServer())
    if not one.until(lambda: _answers(install) or not pages.is_alive()) or not pages.is_alive():
        raise RuntimeError(pages.log.read_text())
    path = f"/in/{one.brand.slug}/shop/responses"

    def send(number: int) -> int:
        body = {"external_id": f"stay-{number // copies}", "given": 3, "comment": "Again."}
        return install.post_signed(path, secret, body)[0]

    with ThreadPoolExecutor(copies) as pool:
        return list(pool.map(send, range(answers * copies)))


def _answers(install: Installation) -> bool:
    try:
        return install.ask("GET", "/healthz")[0] == 200
    except OSError:
        return False


# --- two at once ------------------------------------------------------------------------------------------


def two_workers(plan: Plan, bug: str = "") -> Row:
    """Two workers, two clocks: one start, and both deliver."""
    began = time.monotonic()
    with site(plan.new_database(), plan.place(f"two{bug}"), bug=bug, people=800, delay=DELAY_SECONDS) as one:
        # Four jobs, two for each.
        one.until_ready(one.start_worker(worker_threads="2"), one.start_worker(worker_threads="2"))
        campaign = one.schedule(in_seconds=0.5)
        wrongs = _watch(one, campaign)
        senders = {copy.worker for copy in one.sink.journal}
        if not bug and len(senders) < 2:
            wrongs.append("one of the two workers sent nothing")
        repeated = audit.repeats(one.evidence(campaign))
    did = "a start that two clocks ring for, 800 pushes"
    return Row(plan.database, "two workers", did, wrongs, time.monotonic() - began, repeated, bug=bug)


def double_start(plan: Plan, starters: int = 2) -> Row:
    """`start_due` called twice at the same moment, while a worker's clock rings too."""
    began = time.monotonic()
    with site(plan.new_database(), plan.place("double"), people=200) as one:
        one.until_ready(one.start_worker())
        campaign = one.schedule(in_seconds=0.2)
        started = _start_at_once(one, starters)
        wrongs = _watch(one, campaign)
        if started > 1:
            wrongs.append(f"{started} of {starters} callers were told that they had started it")
        repeated = audit.repeats(one.evidence(campaign))
    did = f"{starters} x start_due and a clock, 200 pushes"
    return Row(plan.database, "double start", did, wrongs, time.monotonic() - began, repeated)


def _start_at_once(one: Site, starters: int) -> int:
    app = create_app(Settings(env="test", database_url=one.database, data_dir=one.folder / "var"))
    gate = threading.Barrier(starters)

    def start(_number: int) -> int:
        with app.app_context():
            gate.wait()
            time.sleep(0.2)
            done = len(campaigns.start_due(db.session, clock.now()))
            db.session.commit()
            return done

    with ThreadPoolExecutor(starters) as pool:
        told = sum(pool.map(start, range(starters)))
    with app.app_context():
        db.engine.dispose()
    return told


def _watch(one: Site, campaign: int) -> list[str]:
    """Wait for the end; with a planted bug, at most until its harm is seen."""

    def is_over() -> bool:
        return one.is_done(campaign) or bool(one.bug and audit.wrongs(one.evidence(campaign), at_the_end=False))

    one.until(is_over)
    return audit.wrongs(one.evidence(campaign), at_the_end=not one.bug)


# --- kill -9 ----------------------------------------------------------------------------------------------


def kills(plan: Plan) -> Row:
    """Workers die at random moments in mid-campaign, and others take over, until `plan.kills` have died."""
    began = time.monotonic()
    dice = random.Random(plan.seed)  # noqa: S311 (when to kill, not what to hide)
    wrongs: list[str] = []
    recoveries: list[float] = []
    repeated = runs = 0
    with site(plan.new_database(), plan.place("kills"), people=plan.people, delay=DELAY_SECONDS) as one:
        while len(one.killed) < plan.kills and not wrongs:
            campaign = one.schedule(in_seconds=1.0)
            runs += 1
            last = _kill_some(one, campaign, dice, min(KILLS_PER_CAMPAIGN, plan.kills - len(one.killed)))
            _two_alive(one)
            wrongs += _watch(one, campaign)
            recoveries.append(time.monotonic() - last)
            repeated += audit.repeats(one.evidence(campaign))
    did = f"{len(one.killed)} kills in {runs} campaigns of {plan.people}, seed {plan.seed}"
    took = time.monotonic() - began
    return Row(plan.database, "kill -9", did, wrongs, took, repeated, len(one.killed), max(recoveries, default=0.0))


def _kill_some(one: Site, campaign: int, dice: random.Random, number: int) -> float:
    """Kill up to `number` workers before the campaign is done; the moment of the last kill (or of now)."""
    last = time.monotonic()
    for _kill in range(number):
        _two_alive(one, at_once=dice.random() < 0.7)
        seen = len(one.sink.journal)
        # Mostly when mails are leaving; at times while the next one still waits for a dead one's work.
        one.until(lambda: len(one.sink.journal) > seen, dice.choice((3.0, 15.0)))  # noqa: B023  called at once
        time.sleep(dice.uniform(0.0, 1.2))
        if one.is_done(campaign):
            break
        one.kill(dice.choice(one.alive()))
        last = time.monotonic()
    return last


def _two_alive(one: Site, *, at_once: bool = True) -> None:
    """Start what was killed; `at_once` False leaves one for later, so that at times a worker is alone."""
    while len(one.alive()) < (2 if at_once else 1):
        one.start_worker()
    one.until_ready(one.alive()[-1])


# --- planted bugs -----------------------------------------------------------------------------------------


def noted_before_sent(plan: Plan) -> Row:
    """A worker that calls mails sent before they are, killed while sending."""
    bug, began = "noted-before-sent", time.monotonic()
    with site(plan.new_database(), plan.place(bug), bug=bug, people=60, delay=0.1) as one:
        worker = one.start_worker()
        one.until_ready(worker)
        campaign = one.schedule(in_seconds=0.1)
        one.until(lambda: len(one.sink.journal) > 8)
        one.kill(worker)
        one.until_ready(one.start_worker())
        wrongs = _watch(one, campaign)
    return Row(plan.database, "kill -9", "1 kill", wrongs, time.monotonic() - began, kills=1, bug=bug)


def noted_too_late(plan: Plan) -> Row:
    """A worker that notes mails once its whole job is done, killed when it has sent for longer than a group may take,
    and long before it is done: a busy machine looks late."""
    bug, began = "noted-too-late", time.monotonic()
    with site(plan.new_database(), plan.place(bug), bug=bug, people=2 * GROUP + 20, delay=0.04) as one:
        worker = one.start_worker()
        one.until_ready(worker)
        campaign = one.schedule(in_seconds=0.1)
        one.until(lambda: len(one.sink.journal) > GROUP - 20)
        one.kill(worker)
        one.until_ready(one.start_worker())
        wrongs = _watch(one, campaign)
        repeated = audit.repeats(one.evidence(campaign))
    return Row(plan.database, "kill -9", "1 kill", wrongs, time.monotonic() - began, repeated, kills=1, bug=bug)


def code_in_two_steps(plan: Plan) -> Row:
    """A planner that writes down which codes it took after its commit, dead in between."""
    bug, began = "code-in-two-steps", time.monotonic()
    with site(plan.new_database(), plan.place(bug), bug=bug, people=100) as one:
        first: Process = one.start_worker(failpoint="plan-after-commit:2")
        one.until_ready(first)
        campaign = one.schedule(in_seconds=0.1)
        one.until(lambda: not first.is_alive())
        one.killed.add(first.number)
        one.until_ready(one.start_worker())
        wrongs = _watch(one, campaign)
    return Row(plan.database, "kill -9", "1 kill", wrongs, time.monotonic() - began, kills=1, bug=bug)


def planted_rows(plan: Plan) -> Iterator[Row]:
    """Each fault on a program that is wrong."""
    yield replay(plan, answers=2, bug="id-ignored")
    yield two_workers(plan, bug="no-lease")
    yield noted_before_sent(plan)
    yield noted_too_late(plan)
    yield code_in_two_steps(plan)


def run(plan: Plan) -> Iterator[Row]:
    """Every row on one database, the planted bugs first: a fault that catches none proves nothing."""
    yield from planted_rows(plan)
    yield replay(plan)
    yield double_start(plan)
    yield two_workers(plan)
    yield kills(plan)


def plan_of(database: str, new_database: Callable[[], str], folder: Path, options: Namespace) -> Plan:
    return Plan(database, new_database, folder, kills=options.kills or 20, seed=options.seed)
