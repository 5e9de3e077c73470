"""The real worker, or the real pages, with one mistake planted: what the auditor must catch before it is believed.

python -m tests.faults.planted BUG      settings from the environment, like `amplify worker` and `amplify serve`
"""

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from amplify import wiring, worker
from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.campaigns import recurrence, starting
from amplify.campaigns.events import CampaignStarted
from amplify.campaigns.models import Campaign
from amplify.campaigns.queries import upcoming
from amplify.campaigns.trace import SYSTEM
from amplify.core import alarms, clock, failpoints, logs
from amplify.core.db import db
from amplify.core.events import publish
from amplify.core.settings import Settings, load
from amplify.delivery import checking, outcomes, sending
from amplify.delivery.channels import email
from amplify.delivery.envelope import Outgoing
from amplify.delivery.errors import DeliveryFailure, TransientFailure
from amplify.leaderboards import services
from amplify.rewards import planning
from amplify.rewards.models import Push, Reward, RewardCode
from amplify.rewards.types.code_pool import CodePool
from amplify.surveys import intake
from amplify.surveys.services import record_response
from amplify.tracking import cursors
from amplify.tracking.models import Cursor


def noted_before_sent() -> None:
    """Marks a group as sent, then sends it: who dies in between has lost the rest."""

    def send_all(sessions: Any, channel: Any, ids: list[int], release: str, batch: sending.Batch) -> None:
        ready = checking.check(sessions, channel.settings, ids, release).ready
        outcomes.note_sent(sessions, list(ready))
        for outgoing in ready.values():
            channel.send(outgoing)

    sending._send_all = send_all


def noted_too_late() -> None:
    """Notes what has left once a whole job is done: who dies before repeats far more than a group."""
    note, send_all = sending._note, sending._send_all
    later: dict[int, Any] = {}

    def send_then_note(sessions: Any, *given: Any) -> None:
        later.clear()
        send_all(sessions, *given)
        note(sessions, later)

    vars(sending)["_note"] = lambda _sessions, found: later.update(found)
    vars(sending)["_send_all"] = send_then_note


def silence_is_yes() -> None:
    """A connection that breaks is taken for a mail that arrived: some had not."""
    send_each = email.Email.send_each

    def hopeful(self: email.Email, group: Iterable[Outgoing]) -> Generator[DeliveryFailure | None, None, None]:
        for outcome in send_each(self, group):
            is_lost = isinstance(outcome, TransientFailure) and outcome.is_connection_lost
            yield None if is_lost else outcome

    email.Email.send_each = hopeful  # type: ignore[method-assign]  # that is the bug


def no_lease() -> None:
    """Two clocks ring, and each starts what it saw: nobody looks again whether it was started meanwhile."""

    def ring(session: Session, now: datetime) -> None:
        due = list(session.scalars(sa.select(Campaign.id).where(Campaign.starts_at <= now, Campaign.occurrence == 0)))
        session.commit()
        time.sleep(alarms.SYNC_SECONDS * 2)
        for campaign_id in due:
            # Past the row's version, which would save it where both look before either has written.
            started = {"state": "live", "occurrence": Campaign.occurrence + 1, "started_at": now}
            session.execute(sa.update(Campaign).where(Campaign.id == campaign_id).values(started))
            campaign = session.get_one(Campaign, campaign_id, populate_existing=True)
            publish(session, CampaignStarted(campaign, now))
        session.commit()

    always: Any = SimpleNamespace(take=lambda *_: 1, release=lambda *_: None)
    vars(alarms)["leases"] = always
    wiring.ALARMS = (alarms.Alarm("campaigns", upcoming, ring),)


def code_in_two_steps() -> None:
    """Looks for codes first and notes them as taken in a later transaction: who dies in between gives them twice."""
    given: list[tuple[int, list[str]]] = []

    def settle(self: CodePool, session: Session, reward: Reward, codes: Mapping[int, str]) -> int:
        given.append((reward.id, list(codes.values())))
        return len(codes)

    def reach(name: str) -> None:
        failpoints.reach(name)
        if name != "plan-after-commit":
            return
        for reward_id, codes in given:
            owner = sa.select(sa.func.min(Push.id)).where(Push.code == RewardCode.code).scalar_subquery()
            ours = RewardCode.reward_id == reward_id, RewardCode.code.in_(codes)
            db.session.execute(sa.update(RewardCode).where(*ours).values(push_id=owner))
        db.session.commit()
        given.clear()

    setattr(CodePool, "settle", settle)  # noqa: B010  a method is replaced on purpose
    vars(planning)["reach"] = reach
    planning.CHUNK, planning.AT_ONCE = 20, 0


def id_ignored() -> None:
    """Stores an answer under an id of its own: what is sent again is another answer."""
    given_by = intake.given_by

    def renamed(source: str, answer: Any) -> Any:
        return given_by(source, answer.model_copy(update={"external_id": uuid4().hex}))

    intake.given_by = renamed


def noted_after_folded() -> None:
    """Folds first, and notes how far it came in a later transaction: who dies in between folds it again."""
    noted: list[int] = []

    def project(session: Session, limit: int) -> int:
        done = services.project(session, limit)
        session.commit()
        if noted:
            failpoints.reach("folded")
            cursor = cursors.take(session, services.CURSOR, wait=True)
            assert cursor is not None  # it was waited for
            move(cursor, noted.pop())
        return done

    def move_later(self: Cursor, position: int) -> None:
        if self.name == services.CURSOR:
            noted.append(position)
        else:
            move(self, position)

    move = Cursor.move
    Cursor.move = move_later  # type: ignore[method-assign]  # that is the bug
    wiring.ROUNDS = tuple(project if work is services.project else work for work in wiring.ROUNDS)


def started_in_two_steps() -> None:
    """Notes that campaigns have started, and does what a start does in a later transaction: who dies in between has
    started a campaign that gives nobody anything."""

    def ring(session: Session, now: datetime) -> None:
        due = sa.select(Campaign).where(Campaign.starts_at <= now, Campaign.state == "scheduled")
        started = list(session.scalars(due))
        for campaign in started:
            campaign.state, campaign.occurrence, campaign.started_at = "live", 1, now
        session.commit()
        if started:
            failpoints.reach("start-noted")
        for campaign in started:
            publish(session, CampaignStarted(campaign, now))
        session.commit()

    wiring.ALARMS = (alarms.Alarm("campaigns", upcoming, ring),)


def clock_is_the_memory() -> None:
    """Starts what was due since it rang last, and keeps that moment itself: set back, it starts the same again."""
    last: list[datetime] = []

    def ring(session: Session, now: datetime) -> None:
        since = last.pop() if last else now - timedelta(seconds=5)
        for campaign in session.scalars(sa.select(Campaign).where(Campaign.state.in_(("scheduled", "live")))).all():
            rule = campaign.repeats, campaign.starts_local, campaign.timezone
            for due in recurrence.between(*rule, since, now, campaign.ends_at):
                campaign.next_at = campaign.starts_at = due.at
                session.flush()
                starting.start(session, campaign, now, SYSTEM, now)
        last.append(now)

    wiring.ALARMS = (alarms.Alarm("campaigns", lambda _session: [clock.now()], ring),)


def answered_before_stored() -> None:
    """Says that an answer is stored, and stores it a second later."""
    keep = intake.keep

    def hasty(brand: Brand, source: str, answers: Sequence[Any]) -> list[Any]:
        flask: Any = current_app
        app, brand_id = flask._get_current_object(), brand.id

        def store() -> None:
            with app.app_context():
                keep(db.session.get_one(Brand, brand_id), source, answers)

        threading.Timer(1.0, store).start()
        return [record_response(db.session, brand, intake.given_by(source, answer)) for answer in answers]

    intake.keep = hasty


IN_WORKER: dict[str, Callable[[], None]] = {
    "noted-before-sent": noted_before_sent,
    "noted-too-late": noted_too_late,
    "silence-is-yes": silence_is_yes,
    "no-lease": no_lease,
    "code-in-two-steps": code_in_two_steps,
    "noted-after-folded": noted_after_folded,
    "started-in-two-steps": started_in_two_steps,
    "clock-is-the-memory": clock_is_the_memory,
}
IN_PAGES: dict[str, Callable[[], None]] = {"id-ignored": id_ignored, "answered-before-stored": answered_before_stored}


def plant(bug: str) -> None:
    """Make this process wrong."""
    {**IN_WORKER, **IN_PAGES}[bug]()


def serve(settings: Settings) -> None:
    """The pages without granian: only what they answer matters here."""
    make_server("127.0.0.1", settings.port, create_app(settings), threaded=True).serve_forever()


if __name__ == "__main__":
    bug = sys.argv[1]
    plant(bug)
    chosen = load()
    logs.configure(chosen, process="planted")
    # A dead one is missed sooner here: what is shown is the bug, not the wait.
    worker.DEAD_AFTER_SECONDS = 4.0
    if bug in IN_PAGES:
        serve(chosen)
    else:
        worker.run_until_told(worker.Worker(chosen))
