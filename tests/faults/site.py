"""An installation to break: a database, worker and page processes that may be killed, and what outlives them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import schema
from amplify.core.db import reading
from amplify.rewards.models import Push
from tests.delivery.mailserver import free_port
from tests.faults import audit
from tests.faults.nursery import Forked, Nursery, Order
from tests.faults.sink import Sink
from tests.rewards.making import make_advocates, make_brand, make_rewarded

PATIENCE_SECONDS = 90.0
AMOUNT_MINOR = 500


class Process:
    """One started process of ours. `number` is its name in the mail server's journal."""

    def __init__(self, number: int, child: "subprocess.Popen[bytes] | Forked", log: Path) -> None:
        self.number, self.child, self.log = number, child, log

    def is_alive(self) -> bool:
        return self.child.poll() is None

    def has_said(self, words: str) -> bool:
        return words in self.log.read_text(errors="replace")


class Site:
    """The installation. `bug` plants a mistake into every process that is started on it. With a `nursery` processes
    cost little; `chunk` is for that."""

    nursery: Nursery | None = None
    chunk = 0
    environ: Mapping[str, str] = MappingProxyType({})

    def __init__(self, database: str, folder: Path, sink: Sink, bug: str = "", people: int = 0) -> None:
        self.database, self.folder, self.sink, self.bug = database, folder, sink, bug
        self.engine: Engine = sa.create_engine(database)
        self.processes: list[Process] = []
        self.killed: set[int] = set()
        folder.mkdir(parents=True, exist_ok=True)
        schema.upgrade(self.engine)
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            self.brand = make_brand(session)
            self.chosen = {advocate.id for advocate in make_advocates(session, self.brand, people)}

    # Processes.

    def start(self, *command: str, **settings: str) -> Process:
        """`amplify <command>`, or its planted twin; not waited for."""
        number = len(self.processes)
        program = ("tests.faults.planted", self.bug) if self.bug else ("amplify", *command)
        log = self.folder / f"process-{number}.log"
        environ = self._environ(number, settings)
        child: subprocess.Popen[bytes] | Forked
        if self.nursery is not None:
            log.touch()
            child = self.nursery.start(Order(command[0], environ, str(log), self.bug, self.chunk))
        else:
            with log.open("wb") as output:
                child = subprocess.Popen([sys.executable, "-m", *program], env=environ, stdout=output, stderr=output)  # noqa: S603
        self.processes.append(Process(number, child, log))
        return self.processes[-1]

    def start_worker(self, **settings: str) -> Process:
        return self.start("worker", **settings)

    def start_pages(self, at: int | None = None) -> tuple[Process, str]:
        """The pages without a worker, and their address."""
        port = str(at or free_port())
        url = f"http://127.0.0.1:{port}"
        return self.start("serve", "--no-worker", port=port, base_url=url), url

    def _environ(self, number: int, settings: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AMPLIFY_")}
        ours = {
            "env": "test", "database_url": self.database, "data_dir": str(self.folder / "var"), "mail": "smtp",
            "smtp_port": str(self.sink.listen(number)), "worker_poll_seconds": "0.2", **settings,
        }  # fmt: skip
        return {**kept, **{f"AMPLIFY_{name.upper()}": value for name, value in ours.items()}, **self.environ}

    def kill(self, process: Process) -> None:
        """As a power cut would: no clean-up, no goodbye."""
        process.child.kill()
        process.child.wait()
        self.bury(process)

    def bury(self, process: Process) -> None:
        """Note a death."""
        self.killed.add(process.number)
        self.sink.forget(process.number)

    def alive(self) -> list[Process]:
        return [process for process in self.processes if process.is_alive()]

    def close(self) -> None:
        for process in self.alive():
            process.child.terminate()
        for process in self.processes:
            try:
                process.child.wait(30)
            except subprocess.TimeoutExpired:
                process.child.kill()
                process.child.wait()
        self.engine.dispose()

    def until(self, said: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> bool:
        """Ask again until it is true, and say whether it ever was."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if said():
                return True
            time.sleep(0.05)
        return False

    def until_ready(self, *processes: Process) -> None:
        """Wait until these workers work, or have worked: a failpoint may end one at once. Raises RuntimeError with what
        they said when they never did."""
        for process in processes:
            self.until(lambda p=process: p.has_said("worker ready") or not p.is_alive())  # type: ignore[misc]
            if not process.has_said("worker ready"):
                raise RuntimeError(process.log.read_text(errors="replace"))

    # Campaigns.

    def schedule(self, in_seconds: float) -> int:
        """A campaign that rewards everybody from a pool of codes and is due soon; its id."""
        people = len(self.chosen)
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            brand = session.get_one(Brand, self.brand.id)
            # Twice as many codes and twice the money: nothing but the rules keeps a second start from giving again.
            budget = {"budget_minor": 2 * AMOUNT_MINOR * people, "value_minor": AMOUNT_MINOR}
            campaign = make_rewarded(session, brand, top=people, codes=2 * people, **budget)
            campaign.starts_at = datetime.now(UTC) + timedelta(seconds=in_seconds)
            return campaign.id

    def evidence(self, campaign_id: int) -> audit.Evidence:
        return audit.read(self.engine, campaign_id, self.chosen, self.sink.journal, self.killed)

    def planned(self, campaign_id: int) -> int:
        """How many pushes there are."""
        return self._pushes(Push.campaign_id == campaign_id)

    def settled(self, campaign_id: int) -> int:
        """How many pushes are not open any more."""
        return self._pushes(Push.campaign_id == campaign_id, Push.state != "earned")

    def _pushes(self, *which: sa.ColumnElement[bool]) -> int:
        with reading(), self.engine.connect() as connection, connection.begin():
            return connection.scalar(sa.select(sa.func.count()).select_from(Push).where(*which)) or 0

    def is_done(self, campaign_id: int) -> bool:
        """Cheap first: the whole evidence is read only when no push is open."""
        return self.settled(campaign_id) >= len(self.chosen) and audit.is_done(self.evidence(campaign_id))


@contextmanager
def site(database: str, folder: Path, *, bug: str = "", people: int = 200, delay: float = 0.0) -> Iterator[Site]:
    """A new installation with so many advocates; its processes are stopped at the end."""
    sink = Sink(delay)
    sink.start()
    made = Site(database, folder, sink, bug, people)
    try:
        yield made
    finally:
        made.close()
        sink.stop()
