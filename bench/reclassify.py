"""Stored clicks judged again under other rules, and the standings after it against a rebuild from nothing.

`python3 run.py bench reclassify [--clicks N] [--db sqlite|postgresql|both]`. The clicks are judged and ranked first, by
worse rules than ours: a tenth of them changes its verdict, half of these each way.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.core import wal
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.core.tokens import uuid7
from amplify.leaderboards import services as boards
from amplify.leaderboards.models import Board, Scoring, Standing
from amplify.leaderboards.scoring import IS_SHOWN
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking import verdicts
from amplify.tracking.models import Click, ClickVerdict
from amplify.tracking.reclassify import extent_of, open_run, reclassify
from amplify.tracking.services import track
from bench import servers
from bench.peers import seeding
from bench.report import table

DAYS = 30
BATCH = 500
ROUNDS_PER_CHECKPOINT = 20
COLUMNS = ("step", "how many", "seconds", "per second", "peak MB")
PHONE = (
    "Mozilla/5.0 (Linux; Android 15; Phone) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Mobile Safari/537.36"
)
IN_APP = f"{PHONE} Instagram 350.0"
FETCHER = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"
# What comes, in twentieths: people, machines, and one each that the worse rules take for the other.
AGENTS = (*[PHONE] * 14, *["curl/8.0"] * 4, IN_APP, FETCHER)


@dataclass(frozen=True)
class Step:
    """One figure."""

    name: str
    count: int
    seconds: float
    peak_megabytes: int

    def cells(self) -> tuple[object, ...]:
        return self.name, self.count, self.seconds, self.count / self.seconds, self.peak_megabytes


def peak_megabytes() -> int:
    """The most memory this process has used. Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024))


@contextmanager
def worse_rules() -> Iterator[None]:
    """The rule set before ours: an in-app browser is a machine, and Facebook's fetcher a person."""
    ours, version = verdicts.judge, verdicts.RULES_VERSION

    def judge(hit: Any, *, counted_before: bool, around: verdicts.Around = verdicts.ALONE) -> verdicts.Verdict:
        if hit.user_agent == IN_APP:
            return verdicts.Verdict("bot", "agent:instagram")
        if hit.user_agent == FETCHER:
            return verdicts.Verdict("duplicate" if counted_before else "human", "fetcher")
        return ours(hit, counted_before=counted_before, around=around)

    verdicts.judge, verdicts.RULES_VERSION = judge, version - 1
    try:
        yield
    finally:
        verdicts.judge, verdicts.RULES_VERSION = ours, version


def seed(session: Session, number: int) -> None:
    """Advocates with a link each (one for a thousand clicks), and clicks on them over a month, some links hot."""
    seeding.seed(session.get_bind().url.render_as_string(hide_password=False))  # type: ignore[union-attr]
    first = session.scalars(sa.select(ShareLink)).one()
    people = [Advocate(brand_id=first.brand_id, pseudonym=f"Advocate {n}") for n in range(max(1, number // 1_000))]
    session.add_all(people)
    session.flush()
    links = [
        ShareLink(
            brand_id=first.brand_id, code=f"code{n}", advocate_id=one.id, campaign_id=first.campaign_id,
            channel="x", target_url=seeding.TARGET,
        )
        for n, one in enumerate(people)
    ]  # fmt: skip
    session.add_all(links)
    session.flush()
    rows = clicks([link.id for link in links], number)
    while chunk := list(islice(rows, seeding.CHUNK)):
        session.execute(sa.insert(Click), chunk)
        session.commit()


def clicks(links: list[int], number: int) -> Iterator[dict[str, Any]]:
    """Every fourth comes from somebody who was there before."""
    since, between = first_day(), timedelta(days=DAYS) / number
    for n in range(number):
        link = links[(n * n // 7) % len(links) if n % 3 else n % min(5, len(links))]
        yield {
            "token": uuid7(), "link_id": link, "at": since + n * between, "method": "GET",
            "user_agent": AGENTS[n % len(AGENTS)], "visitor": f"{n - n % 4 if n % 4 == 1 else n:032x}",
        }  # fmt: skip


def first_day() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)


def until_done(session: Session, work: Callable[[Session, int], int]) -> tuple[int, float, int]:
    """Rounds as the worker makes them, each a transaction; how many rows moved, in how long, with how much memory."""
    file, began, moved = wal.file_of(str(session.get_bind().url)), time.perf_counter(), 0  # type: ignore[union-attr]
    for turn in count(1):
        now = work(session, BATCH)
        session.commit()
        moved += now
        if not now:
            break
        if file is not None and turn % ROUNDS_PER_CHECKPOINT == 0:
            wal.checkpoint(file)
    return moved, time.perf_counter() - began, peak_megabytes()


def standings(session: Session) -> list[tuple[Any, ...]]:
    """Every figure of every standing, bit for bit."""
    figures = (getattr(Standing, name) for name in boards.FIGURES)
    named = sa.select(Board.kind, Board.ref_id, Board.days, Standing.advocate_id, *figures)
    found = named.join(Board, Board.id == Standing.board_id).join(Scoring, Scoring.id == Board.scoring_id)
    return sorted((tuple(row) for row in session.execute(found.where(IS_SHOWN))), key=repr)


def measure(app: Flask, number: int) -> tuple[list[Step], list[str]]:
    """The steps, and what was wrong."""
    with app.app_context():
        session = db.session
        seed(session, number)
        with worse_rules():
            steps = [Step("judged by worse rules", *until_done(session, track))]
        steps.append(Step("ranked", *until_done(session, boards.project)))
        run = open_run(session, first_day(), None, extent_of(session, first_day()))
        session.commit()
        _, seconds, peak = until_done(session, reclassify)
        steps.append(Step("judged again", run.judged, seconds, peak))
        steps.append(Step("corrections ranked", *until_done(session, boards.project)))
        projected, began = standings(session), time.perf_counter()
        made = boards.rebuild(session, session.scalars(sa.select(Brand.id)).one())
        session.commit()
        steps.append(Step("standings from nothing", made, time.perf_counter() - began, peak_megabytes()))
        wrongs = [] if standings(session) == projected else ["the standings are not those of a rebuild"]
        counted = sum(int(row[0]) for row in session.execute(human_on_board()))
        human = session.scalar(sa.select(sa.func.count()).where(ClickVerdict.verdict == "human"))
        if run.judged != number or not (run.gained and run.lost) or counted != human:
            wrongs.append(f"{run.judged} judged again, {run.gained} gained, {run.lost} lost, {counted}/{human} human")
    return steps, wrongs


def human_on_board() -> Any:
    whole = Board.kind == "brand", Board.days == 0, IS_SHOWN
    counted = sa.select(Standing.human_clicks).join(Board, Board.id == Standing.board_id)
    return counted.join(Scoring, Scoring.id == Board.scoring_id).where(*whole)


def main(arguments: list[str]) -> dict[str, object]:
    """Measure, print, and give the figures; "ok": all were judged again and the standings are those of a rebuild."""
    parser = argparse.ArgumentParser(prog="bench reclassify", description=__doc__)
    parser.add_argument("--clicks", type=int, default=1_000_000)
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    sizes = parser.parse_args(arguments)
    wanted = ("sqlite", "postgresql") if sizes.db == "both" else (sizes.db,)
    figures: dict[str, object] = {"ok": True}
    for name in wanted:
        with servers.databases((name,)) as addresses:
            app = create_app(Settings(env="test", database_url=addresses[name], data_dir=Path(servers.ROOT / "var")))
            steps, wrongs = measure(app, max(20, sizes.clicks))
            with app.app_context():
                db.engine.dispose()
        table(f"reclassify on {name}", COLUMNS, [step.cells() for step in steps])
        print("\n".join(f"WRONG: {wrong}" for wrong in wrongs), end="\n" if wrongs else "")
        figures[name] = {step.name: round(step.count / step.seconds, 1) for step in steps}
        figures["ok"] = bool(figures["ok"]) and not wrongs
    return figures
