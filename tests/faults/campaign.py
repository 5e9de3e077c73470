"""Kills clock, workers and pages while campaigns run: at random, and at every named failpoint of a campaign.

Processes are forked from one that has everything imported (`nursery.py`), and a kill does not wait for the recovery
from the one before: so a thousand of them take an hour. Meanwhile answers are posted to the pages. After each campaign
the auditor holds ledger, pool, budget and the mail server's journal against each other; at the end it looks whether
every answer that was acknowledged is stored once.
"""

import os
import random
import threading
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.signing import create_signing_key
from amplify.campaigns.models import Campaign
from amplify.core import alarms
from amplify.core.db import reading
from amplify.core.leases import Lease
from amplify.core.settings import Settings
from amplify.surveys.models import Response
from tests.delivery.mailserver import MailServer, free_port
from tests.faults import audit, worker
from tests.faults.nursery import Nursery
from tests.faults.site import Process, Site, site
from tests.faults.worker import Plan, Row
from tests.installation import Installation

PEOPLE = 2_000
WORKERS = 2
DELAY_SECONDS = 0.005
PATIENCE_SECONDS = 900.0
SAY_SECONDS = 20.0
MAILS_BETWEEN = 80
# Before and after each commit and each send of a campaign, in the order in which they are reached.
STARTING = ("start-after-freeze", "start-before-commit", "ring-before-commit", "ring-after-commit")
PLANNING = ("freeze-before-commit", "freeze-after-commit", "plan-before-commit", "plan-after-commit")
ORDERING = ("order-before-commit", "order-after-commit")
SENDING = ("send-before", "send-after", "note-before", "note-after")
POINTS = (*STARTING, *PLANNING, *ORDERING, *SENDING)
# What lies ahead before the start, while it is planned, and then.
AHEAD = ((STARTING, PLANNING, ORDERING), (PLANNING, ORDERING), (ORDERING, SENDING, SENDING))
# A job that was running when its worker died ten times is parked, and rightly so: at most so many deaths at points of
# one job in one campaign (ordering is one).
MOST_AT = dict.fromkeys(PLANNING, 4) | dict.fromkeys(ORDERING, 6)


@dataclass(frozen=True)
class Size:
    """How much one run does. `chunk`: ranks in a transaction of planning; 0: as ever."""

    people: int = PEOPLE
    chunk: int = 0
    at_each_point: int = 0  # go on until so many have died at each failpoint


class Answering(threading.Thread):
    """Somebody who posts answers to the pages, one after another; `acknowledged`: what was told to be stored."""

    def __init__(self, one: Site, port: int) -> None:
        super().__init__(daemon=True)
        with Session(one.engine) as session, session.begin():
            words = {"key": "shop", "name": "Shop", "secret_key": Settings(env="test").secret, "actor": "test"}
            self._secret = create_signing_key(session, one.brand, **words)[1]
        self._path = f"/in/{one.brand.slug}/shop/responses"
        self._install = Installation({"AMPLIFY_BASE_URL": f"http://127.0.0.1:{port}"}, mails=MailServer())
        self._ending = threading.Event()
        self.acknowledged: set[str] = set()

    def run(self) -> None:
        number = 0
        while not self._ending.wait(0.2):
            number += 1
            with suppress(OSError, EOFError, HTTPException, ValueError):
                body = {"external_id": f"stay-{number}", "given": 3, "comment": "The lift was slow."}
                if self._install.post_signed(self._path, self._secret, body)[0] == 201:
                    self.acknowledged.add(f"stay-{number}")

    def stop(self) -> None:
        self._ending.set()
        self.join(60)

    def wrongs(self, one: Site) -> list[str]:
        """What is wrong with the answers."""
        with reading(), one.engine.connect() as connection, connection.begin():
            stored = Counter(connection.scalars(sa.select(Response.external_id)))
        lost = [answer for answer in self.acknowledged if answer not in stored]
        told = [f"{len(lost)} answers were acknowledged and are not stored"] if lost else []
        twice = [answer for answer, number in stored.items() if number > 1]
        return [*told, f"{len(twice)} answers are stored twice"] if twice else told


class Rush:
    """Campaign after campaign on one site, and death among its processes, until enough have died."""

    def __init__(self, one: Site, plan: Plan, size: Size) -> None:
        self.one, self.plan, self.size = one, plan, size
        self.dice = random.Random(plan.seed)  # noqa: S311 (whom to kill and when, not what to hide)
        self.armed: dict[int, str] = {}
        self.deaths: Counter[str] = Counter()
        self.here: Counter[str] = Counter()  # since the campaign at hand was scheduled
        self.wrongs: list[str] = []
        self.repeated = self.campaigns = self.campaign = self.phase = 0
        self.recovery_seconds = 0.0
        self.ends = time.monotonic() + 60 * plan.minutes if plan.minutes else float("inf")
        self.port = free_port()
        self.pages: Process | None = None

    def run(self) -> list[str]:
        """What is wrong, after all of it."""
        answering = Answering(self.one, self.port)
        self._staff()
        answering.start()
        try:
            while not self._is_enough() and not self.wrongs:
                self._campaign()
            self.wrongs += self._jobs_left()
        finally:
            answering.stop()
        return [*self.wrongs, *answering.wrongs(self.one)]

    def told(self) -> str:
        """What was done, for the table."""
        points = Counter({point: self.deaths[point] for point in POINTS})
        at_random = ", ".join(f"{n} {who}" for who, n in self.deaths.items() if who not in POINTS)
        missed = [point for point in POINTS if not points[point]]
        fewest = f"{points.total()} at {len(POINTS)} failpoints, at least {min(points.values())} at each"
        fewest += f" (none at {', '.join(missed)})" if missed else ""
        return f"{self.campaigns} campaigns of {self.size.people}, seed {self.plan.seed}: {at_random}; {fewest}"

    def _is_enough(self) -> bool:
        if time.monotonic() > self.ends:
            return True
        fewest = min(self.deaths[point] for point in POINTS)
        return self.deaths.total() >= self.plan.kills and fewest >= self.size.at_each_point

    def _campaign(self) -> None:
        self.here.clear()
        self.phase = 0
        self._arm_for_a_start()
        campaign = self.one.schedule(in_seconds=1.0)
        self.campaigns += 1
        self.campaign = campaign
        said = time.monotonic()
        while not self._is_enough() and not self._is_settled(campaign):
            self._let_work()
            self._bury()
            self._find_phase()
            if time.monotonic() - said > SAY_SECONDS:
                said = time.monotonic()
                self._say(("not started", "being planned", "leaving")[self.phase])
            # Until all are planned, deaths at failpoints are left to come: there are few moments for them.
            if self.dice.random() < (0.1 if self.phase < 2 else 0.8):
                self._kill_one()
            self._staff()
        began = time.monotonic()
        over = self.one.until(lambda: self._is_looked_after_and_settled(campaign), PATIENCE_SECONDS)
        self.recovery_seconds = max(self.recovery_seconds, time.monotonic() - began)
        self._audit(campaign)
        self._say("over" if over else "stuck")

    def _arm_for_a_start(self) -> None:
        """Whoever rings for the next start was begun for it: there are few moments for those failpoints, and only the
        worker that holds the clock's lease comes to them."""
        for process in self._workers():
            self._kill("worker", process)
        self._staff()
        self.one.until(lambda: all(self._is_at_work(one) for one in self._workers()), 30)

    def _let_work(self) -> None:
        """Until all are at work and some mails have left since, or for some seconds: so that on a slow machine, too, it
        comes further between two deaths."""
        self.one.until(lambda: all(self._is_at_work(one) for one in self._workers()), 30)
        seen, some = len(self.one.sink.journal), self.dice.randint(1, MAILS_BETWEEN)
        self.one.until(lambda: len(self.one.sink.journal) >= seen + some, self.dice.uniform(0.5, 8.0))

    @staticmethod
    def _is_at_work(process: Process) -> bool:
        return process.has_said("worker ready") or not process.is_alive()

    def _say(self, what: str) -> None:
        settled = self.one.settled(self.campaign)
        print(
            f"  {self.plan.database}: {self.told()}; this one {what}, {settled} settled; wrong: {self.wrongs}",
            flush=True,
        )

    def _find_phase(self) -> None:
        if self.phase == 0 and self._latest() == self.campaign:
            self.phase = 1
        if self.phase == 1 and self.one.planned(self.campaign) >= len(self.one.chosen):
            self.phase = 2

    def _is_looked_after_and_settled(self, campaign: int) -> bool:
        self._bury()
        self._staff()
        return self._is_settled(campaign)

    def _is_settled(self, campaign: int) -> bool:
        return self.one.settled(campaign) >= len(self.one.chosen)

    def _audit(self, campaign: int) -> None:
        # Jobs of this campaign may still be noting that they are done.
        found = replace(self.one.evidence(campaign), jobs={})
        self.wrongs += audit.wrongs(found)
        self.repeated += audit.repeats(found)

    def _jobs_left(self) -> list[str]:
        """Let all come to rest, and say what does not."""
        for number in list(self.armed):
            self._kill("at the end", self.one.processes[number])
        self._staff(is_armed=False)
        campaign = self._latest()
        if campaign == 0 or self.one.until(lambda: self.one.is_done(campaign), PATIENCE_SECONDS):
            return audit.wrongs(self.one.evidence(campaign)) if campaign else ["no campaign has started"]
        return [f"jobs are stuck: {self.one.evidence(campaign).jobs}"]

    def _latest(self) -> int:
        with reading(), self.one.engine.connect() as connection, connection.begin():
            return int(connection.scalar(sa.select(sa.func.max(Campaign.id)).where(Campaign.occurrence > 0)) or 0)

    # Who lives and who dies.

    def _staff(self, *, is_armed: bool = True) -> None:
        """Start what is missing."""
        if self.pages is None or not self.pages.is_alive():
            self.pages = self.one.start_pages(self.port)[0]
        while len(self._workers()) < WORKERS:
            point = self._point() if is_armed and not self._is_enough() else ""
            # Some of what goes well comes first, or a job would die at its beginning again and again.
            nth = self.dice.randint(1, 40 if point in SENDING else 4 if point in ORDERING else 1)
            armed = {"failpoint": f"{point}:{nth}"} if point else {}
            # Eleven rounds that ask five times a second would leave little of a small machine for the campaign.
            started = self.one.start_worker(worker_poll_seconds="1.0", **armed)
            if point:
                self.armed[started.number] = point

    def _workers(self) -> list[Process]:
        return [process for process in self.one.alive() if process is not self.pages]

    def _point(self) -> str:
        """Where the next worker dies, if it comes there: mostly where the fewest have; at times nowhere. Before a start
        all die at the same place, for only one of them will hold the clock's lease, and only one will get the job."""
        if self.phase == 0:
            rare = [point for point in (*STARTING, *PLANNING, *ORDERING) if not self._is_spent(point)]
            return min(rare, key=lambda point: self.deaths[point])
        ahead = self.dice.choice(AHEAD[self.phase])
        open_points = [point for point in ahead if not self._is_spent(point)]
        if not open_points or self.dice.random() < 0.2:
            return ""
        self.dice.shuffle(open_points)
        return min(open_points, key=lambda point: self.deaths[point] + 3 * list(self.armed.values()).count(point))

    def _is_spent(self, point: str) -> bool:
        family = next(points for points in (STARTING, PLANNING, ORDERING, SENDING) if point in points)
        return sum(self.here[one] for one in family) >= MOST_AT.get(point, 1_000)

    def _bury(self) -> None:
        """Count those who have died at their failpoint."""
        for number, point in list(self.armed.items()):
            if not self.one.processes[number].is_alive():
                del self.armed[number]
                self.one.bury(self.one.processes[number])
                self.deaths[point] += 1
                self.here[point] += 1

    def _kill_one(self) -> None:
        who = self.dice.choices(("clock", "worker", "pages"), (2, 7, 1))[0]
        if who == "pages" and self.pages is not None:
            self._kill(who, self.pages)
        elif who == "clock":
            self._kill_among(who, [one for one in self._workers() if one.child.pid == self._clock()])
        else:
            late = [one for one in self._workers() if self._is_too_late(self.armed.get(one.number, ""))]
            self._kill_among(who, late or self._workers())

    def _kill_among(self, who: str, found: list[Process]) -> None:
        if found:
            self._kill(who, self.dice.choice(found))

    def _is_too_late(self, point: str) -> bool:
        """Whether nobody comes to this failpoint any more in the campaign at hand."""
        return bool(point) and not any(point in points for points in AHEAD[self.phase])

    def _clock(self) -> int:
        """The process whose clock rings: workers name themselves host-pid-chance."""
        with reading(), self.one.engine.connect() as connection, connection.begin():
            holder = connection.scalar(sa.select(Lease.holder).where(Lease.name == alarms.LEASE))
        return int(holder.rsplit("-", 2)[1]) if holder else 0

    def _kill(self, who: str, process: Process) -> None:
        self.armed.pop(process.number, None)
        self.one.kill(process)
        self.deaths[who] += 1


@contextmanager
def _cheap(plan: Plan, name: str, size: Size) -> Iterator[Site]:
    """A site whose processes come from a nursery, where the system can hold on to them (Linux)."""
    nursery = Nursery() if hasattr(os, "pidfd_open") else None
    with site(plan.new_database(), plan.place(name), people=size.people, delay=DELAY_SECONDS) as one:
        one.nursery, one.chunk = nursery, size.chunk
        yield one
    if nursery is not None:
        nursery.close()


def kills(plan: Plan, size: Size) -> Row:
    """Deaths of all kinds in campaigns of `size`, until `plan.kills` have died."""
    began = time.monotonic()
    with _cheap(plan, "campaign", size) as one:
        rush = Rush(one, plan, size)
        wrongs = rush.run()
    done = rush.repeated, rush.deaths.total(), rush.recovery_seconds
    return Row(plan.database, "campaign", rush.told(), wrongs, time.monotonic() - began, *done)


# --- planted bugs -----------------------------------------------------------------------------------------


def started_in_two_steps(plan: Plan) -> Row:
    """A clock that notes a start before it does what a start does, dead in between."""
    bug, began = "started-in-two-steps", time.monotonic()
    with site(plan.new_database(), plan.place(bug), bug=bug, people=20) as one:
        first = one.start_worker(failpoint="start-noted")
        one.until_ready(first)
        campaign = one.schedule(in_seconds=0.1)
        one.until(lambda: not first.is_alive())
        one.killed.add(first.number)
        one.until_ready(one.start_worker())
        one.until(lambda: one.is_done(campaign), 15)
        wrongs = audit.wrongs(one.evidence(campaign))
    return Row(plan.database, "clock dies", "1 kill", wrongs, time.monotonic() - began, kills=1, bug=bug)


def answered_before_stored(plan: Plan) -> Row:
    """Pages that say "stored" a second before they store, dead in between."""
    bug, began = "answered-before-stored", time.monotonic()
    with site(plan.new_database(), plan.place(bug), bug=bug, people=0) as one:
        port = free_port()
        pages, answering = one.start_pages(port)[0], Answering(one, port)
        answering.start()
        one.until(lambda: len(answering.acknowledged) > 10)
        one.kill(pages)
        answering.stop()
        wrongs = answering.wrongs(one)
    return Row(plan.database, "pages die", "1 kill", wrongs, time.monotonic() - began, kills=1, bug=bug)


def planted_rows(plan: Plan) -> Iterator[Row]:
    """Each kind of death on a program that is wrong."""
    yield worker.noted_before_sent(plan)
    yield worker.code_in_two_steps(plan)
    yield started_in_two_steps(plan)
    yield answered_before_stored(plan)


def run(plan: Plan) -> Iterator[Row]:
    """The planted bugs first: a death that catches none proves nothing."""
    yield from planted_rows(plan)
    yield kills(plan, Size(at_each_point=min(20, plan.kills // 40)))


def plan_of(database: str, new_database: Callable[[], str], folder: Path, options: Namespace) -> Plan:
    return Plan(
        database, new_database, folder, kills=options.kills or 1_000, seed=options.seed, minutes=options.minutes
    )
