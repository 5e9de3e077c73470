"""The whole loop between real processes: answers in, asks out, clicks ranked, a campaign's pushes delivered.

`python3 run.py bench loop [--answers N] [--clicks N] [--pushes N] [--db sqlite|postgresql|both]`. Every figure stands
beside what the same machine can do at most in the same run, so that ratios can be compared when speeds cannot.
"""

import argparse
import json
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session
from standardwebhooks import Webhook

from amplify.accounts.signing import create_signing_key
from amplify.brands.models import Brand
from amplify.brands.services import create_brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import CampaignIn, read
from amplify.core import clock, schema
from amplify.core.db import reading
from amplify.core.settings import Settings
from amplify.delivery.models import Message
from amplify.leaderboards.models import Board, Standing
from amplify.rewards import writing
from amplify.rewards.models import Push
from amplify.rewards.schemas import RewardIn
from amplify.sharing.models import Advocate
from amplify.sharing.services import link_for
from amplify.surveys.models import Response
from amplify.tracking.models import Click, ClickVerdict
from bench import client, limits, servers
from bench.report import table

PATIENCE_SECONDS = 120.0
TEXTS = {
    "headline": "Tell a friend", "share_text": "I liked it.", "disclosure": "I may get a reward for this. #ad",
    "reward_subject": "You were heard", "reward_text": "Show this code at the till.",
}  # fmt: skip
COLUMNS = ("step", "how many", "seconds", "per second", "p50 ms", "p99 ms", "limit/s", "of the limit", "the limit is")


@dataclass(frozen=True)
class Step:
    """One figure: how many, in how long, and what is physically possible."""

    name: str
    count: int
    seconds: float
    limit: float
    limit_is: str
    p50_ms: float | None = None
    p99_ms: float | None = None

    @property
    def per_second(self) -> float:
        return self.count / self.seconds if self.seconds else 0.0

    def cells(self) -> tuple[object, ...]:
        p50, p99 = ("-" if value is None else value for value in (self.p50_ms, self.p99_ms))
        ratio = self.per_second / self.limit if self.limit else 0.0
        return self.name, self.count, self.seconds, self.per_second, p50, p99, self.limit, ratio, self.limit_is


@dataclass
class Run:
    """One database, its installation, and what was found."""

    engine: Engine
    sink: limits.Sink
    base: str
    secret: str
    sizes: argparse.Namespace
    steps: list[Step] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)

    def count(self, *statements: Any) -> int:
        """The sum of these counts, now."""
        with reading(), Session(self.engine) as session:
            return sum(int(session.scalar(statement) or 0) for statement in statements)

    def until(self, what: str, said: Callable[[], bool]) -> float:
        """Wait for it; the moment it was true. Notes it as wrong when it never is."""
        end = time.perf_counter() + PATIENCE_SECONDS
        while not said():
            if time.perf_counter() > end:
                self.wrongs.append(f"{what}: not in {PATIENCE_SECONDS:.0f} s")
                break
            time.sleep(0.05)
        return time.perf_counter()

    def expect(self, what: str, found: int, wanted: int) -> None:
        if found != wanted:
            self.wrongs.append(f"{what}: {found} instead of {wanted}")


def rows_of(table: Any, *where: Any) -> Any:
    return sa.select(sa.func.count()).select_from(table).where(*where)


# --- answers, and the asks that follow ----------------------------------------------------------------------


def answers(run: Run) -> None:
    """Signed answers over 16 connections; every second one is a promoter and is asked by mail."""
    path, number = f"{run.base}/in/bench/shop/responses", run.sizes.answers
    sent = client.send(run.base, [signed(path, run.secret, answer(i)) for i in range(number)])
    acknowledged = sent.statuses[201]
    run.expect("answers acknowledged", acknowledged, number)
    run.expect("answers stored", run.count(rows_of(Response)), acknowledged)
    p50, p99 = sent.percentile_ms(50), sent.percentile_ms(99)
    raw = limits.rows_per_second(run.engine, 1)
    run.steps.append(Step("answers stored", acknowledged, sent.seconds, raw, "1 raw row per commit", p50, p99))


def asks(run: Run, began: float) -> None:
    """The mails that ask the promoters, from the first answer on."""
    wanted = (run.sizes.answers + 1) // 2
    sent = rows_of(Message, Message.template == "ask", Message.state == "sent")
    at = run.until("asks", lambda: len(run.sink.arrived) >= wanted and run.count(sent) >= wanted)
    run.expect("asks that arrived", len(set(run.sink.arrived)), wanted)
    run.expect("asks that arrived twice", len(run.sink.arrived) - len(set(run.sink.arrived)), 0)
    run.steps.append(Step("asks mailed", wanted, at - began, limits.mails_per_second(run.sink), "smtplib alone"))


def answer(number: int) -> dict[str, Any]:
    ahead = 12 - datetime.now(UTC).hour  # where it is noon now: far from quiet hours
    person = {
        "external_id": f"c{number}", "email": f"c{number}@guests.example", "consent": True, "locale": "en",
        "timezone": f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT",
    }  # fmt: skip
    given = 5 if number % 2 else 10
    return {"external_id": f"a{number}", "given": given, "comment": "It was a very good stay.", "customer": person}


def signed(url: str, secret: str, body: dict[str, Any]) -> bytes:
    """A POST as Standard Webhooks wants it."""
    raw, now, name = json.dumps(body), datetime.now(UTC), uuid4().hex
    key = secret if secret.startswith("whsec_") else b64encode(secret.encode()).decode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(key).sign(name, now, raw),
    }
    return client.request("POST", url, headers, raw.encode())


# --- clicks, and the ranking that follows ---------------------------------------------------------------------


def clicks(run: Run) -> None:
    """People who follow tracked links, each with a browser of their own; then until all are judged and ranked."""
    codes, number = links(run), run.sizes.clicks
    agent = "Mozilla/5.0 (Linux; Android 15; Phone {}) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36"
    requests = [
        client.request("GET", f"{run.base}/s/{codes[i % len(codes)]}", {"User-Agent": agent.format(i)})
        for i in range(number)
    ]
    with Session(run.engine) as session, session.begin():
        # An hour passes: whoever follows a link at the moment of the mail that leads to it is no person.
        session.execute(sa.update(Message).values(sent_at=datetime.now(UTC) - timedelta(hours=1)))
    began = time.perf_counter()
    sent = client.send(run.base, requests, proof=b"amplify_click=")
    run.expect("clicks acknowledged", sent.proven, number)
    run.expect("clicks stored", run.count(rows_of(Click)), sent.proven)
    human = rows_of(ClickVerdict, ClickVerdict.verdict == "human")
    on_brand = Standing.board_id == Board.id, Board.kind == "brand", Board.days == 0
    ranked = sa.select(sa.func.sum(Standing.human_clicks)).where(*on_brand)
    at = run.until("judged and ranked", lambda: run.count(ranked) >= number)
    run.expect("human clicks", run.count(human), number)
    run.expect("clicks on the board", run.count(ranked), number)
    raw = limits.rows_per_second(run.engine, 64)
    p50, p99 = sent.percentile_ms(50), sent.percentile_ms(99)
    run.steps.append(Step("clicks stored", sent.proven, sent.seconds, raw, "64 raw rows per commit", p50, p99))
    raw = limits.rows_per_second(run.engine, 500)
    run.steps.append(Step("clicks judged, ranked", number, at - began, raw, "500 raw rows per commit"))


def links(run: Run) -> list[str]:
    """Codes of tracked links, one for each advocate that a push will go to."""
    with Session(run.engine) as session, session.begin():
        brand = session.scalars(sa.select(Brand)).one()
        always_on = session.scalars(sa.select(Campaign).where(Campaign.is_always_on.is_(True))).one()
        people = session.scalars(sa.select(Advocate).order_by(Advocate.id).limit(run.sizes.pushes)).all()
        return [link_for(session, brand, who, always_on, "copy", locale="en").code for who in people]


# --- a campaign ---------------------------------------------------------------------------------------------


def pushes(run: Run) -> None:
    """A campaign whose start the worker's own clock rings for, until its last mail has left."""
    number, before = run.sizes.pushes, len(run.sink.arrived)
    campaign_id = campaign(run, datetime.now(UTC) + timedelta(seconds=3))
    planned = rows_of(Push, Push.campaign_id == campaign_id)
    planned_at = run.until("pushes planned", lambda: run.count(planned) >= number) - time.perf_counter() + time.time()
    sent = rows_of(Push, Push.campaign_id == campaign_id, Push.state == "sent")
    sent_at = run.until("pushes sent", lambda: run.count(sent) >= number) - time.perf_counter() + time.time()
    with reading(), Session(run.engine) as session:
        started = session.get_one(Campaign, campaign_id).started_at
        ledger = Counter(session.scalars(sa.select(Push.message_id).where(Push.campaign_id == campaign_id)))
    run.expect("pushes in the ledger", len(ledger), number)
    if Counter(run.sink.arrived[before:]) != ledger:
        run.wrongs.append("the mails that arrived are not the ledger's, each once")
    rang = started.timestamp() if started else sent_at
    raw = limits.rows_per_second(run.engine, number)
    run.steps.append(Step("pushes planned", number, planned_at - rang, raw, "as many raw rows in one commit"))
    raw = limits.mails_per_second(run.sink)
    run.steps.append(Step("pushes delivered", number, sent_at - rang, raw, "smtplib alone"))


def campaign(run: Run, starts: datetime) -> int:
    """A scheduled campaign for the first `pushes` of the board; its id."""
    given = {
        "name": "Thank you", "landing_url": "https://shop.example/stay", "texts": {"en": TEXTS, "es": TEXTS},
        "audience": {"kind": "top_n", "value": run.sizes.pushes}, "timezone": "UTC",
        "starts_local": (starts + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"),
    }  # fmt: skip
    reward = {
        "type": "generated_code", "name": {"en": "20 % off", "es": "20 % menos"}, "value_minor": 500,
        "currency": "USD", "settings": {"pattern": "THANKS-####-####"},
    }  # fmt: skip
    with Session(run.engine) as session, session.begin():
        brand = session.scalars(sa.select(Brand)).one()
        made = writing.create(session, brand, read(CampaignIn, given), writing.Gifts(read(RewardIn, reward)), "bench")
        campaigns.schedule(session, made, clock.now())
        made.starts_at = starts  # to the second: on the form a start is a minute
        return made.id


# --- one database after the other ---------------------------------------------------------------------------


def measure(address: str, folder: Path, sizes: argparse.Namespace) -> Run:
    """The loop on one new database: pages and worker are processes of their own."""
    engine = sa.create_engine(address)
    schema.upgrade(engine)
    env = {"AMPLIFY_DATABASE_URL": address, "AMPLIFY_DATA_DIR": str(folder / "var"), "AMPLIFY_MAIL": "smtp"}
    with limits.mail_server() as sink:
        env["AMPLIFY_SMTP_PORT"] = str(sink.port)
        secret = brand_with_key(engine)
        with servers.amplify("--no-worker", env=env, log=folder / "serve.log") as base:
            worker_env = {**env, "AMPLIFY_BASE_URL": base}
            log = folder / "worker.log"
            with servers.process(sys.executable, "-m", "amplify", "worker", env=worker_env, log=log):
                run = Run(engine, sink, base, secret, sizes)
                run.until("worker", lambda: "worker ready" in log.read_text())
                began = time.perf_counter()
                for step in (answers, lambda run: asks(run, began), clicks, pushes):
                    step(run)
    engine.dispose()
    return run


def brand_with_key(engine: Engine) -> str:
    """A brand with its always-on campaign; the secret of its signing key."""
    with Session(engine) as session, session.begin():
        brand = create_brand(session, slug="bench", name="Bench", target_hosts=["shop.example"])
        texts = {"en": TEXTS, "es": TEXTS}
        campaigns.ensure_always_on(session, brand, "https://shop.example/stay", texts)
        words = {"key": "shop", "name": "Shop", "secret_key": Settings().secret, "actor": "bench"}
        return create_signing_key(session, brand, **words)[1]


def main(arguments: list[str]) -> dict[str, object]:
    """Measure, print, and give the figures; "ok": what was acknowledged is stored, and every push arrived once."""
    parser = argparse.ArgumentParser(prog="bench loop", description=__doc__)
    parser.add_argument("--answers", type=int, default=1_000)
    parser.add_argument("--clicks", type=int, default=3_000)
    parser.add_argument("--pushes", type=int, default=300)
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    sizes = parser.parse_args(arguments)
    sizes.pushes = max(1, min(sizes.pushes, (sizes.answers + 1) // 2, sizes.clicks))
    wanted = ("sqlite", "postgresql") if sizes.db == "both" else (sizes.db,)
    figures: dict[str, object] = {"ok": True}
    for name in wanted:
        with servers.databases((name,)) as addresses, tempfile.TemporaryDirectory(prefix="amplify-loop-") as folder:
            run = measure(addresses[name], Path(folder), sizes)
        table(f"loop on {name}", COLUMNS, [step.cells() for step in run.steps])
        print("\n".join(f"WRONG: {wrong}" for wrong in run.wrongs), end="\n" if run.wrongs else "")
        figures[name] = {step.name: round(step.per_second, 1) for step in run.steps}
        figures["ok"] = bool(figures["ok"]) and not run.wrongs
    return figures
