"""Kills the worker while it judges clicks and folds points into boards; then makes the boards again from nothing.

Meanwhile the brand changes what a visit is worth, so that boards are made beside the boards. In the end nothing may
differ from what stood there, to the last bit, and every living entry of the ledger must have been counted once. The
same is done to a worker that notes how far it came a moment after it folded: there the audit must find entries that
were counted twice.
"""

import random
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session, aliased

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.brands.policy import change_policy
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.leaderboards import services, windows
from amplify.leaderboards.models import Board, DayPoints, PointsEntry, ScoreCount, Scoring, Standing
from amplify.leaderboards.scoring import IS_SHOWN
from amplify.sharing.models import ShareLink
from amplify.tracking import cursors
from amplify.tracking.conversions import record_conversion, record_refund
from amplify.tracking.models import Click, ClickVerdict
from amplify.tracking.schemas import ConversionIn, RefundIn
from tests.faults import worker
from tests.faults.site import Process, Site, site
from tests.leaderboards.shown import IS_SHOWN_BOARD
from tests.tracking.world import World, click, make_world

ADVOCATES = 60
PATIENCE_SECONDS = 300.0
SPREAD_SECONDS = 60 * 86_400.0
CLICKS_EACH_TIME, ORDERS_EACH_TIME = 250, 12
# Where a worker dies: anywhere, or right before or after the commit of one of these rounds.
ROUNDS = (
    "tracking.track",
    "leaderboards.all_time.project",
    "leaderboards.windows.fold_windows",
    "leaderboards.making.make",
    "fraud.scoring.assess",
)
# Between the last entries that were caught up with and the change to the new boards.
EXCHANGE = "edition-before-change"
CURSORS = ((cursors.TRACKER, Click), (services.CURSOR, PointsEntry), (windows.CURSOR, PointsEntry))


class Shop:
    """Friends who follow links, buy, and give back, straight in the database of a site."""

    def __init__(self, app: Flask, dice: random.Random, *, changes_rules: bool = True) -> None:
        self._app, self._dice, self._changes_rules = app, dice, changes_rules
        self._clicks = self._orders = 0
        with app.app_context():
            world = make_world(db.session, "boards")
            # Nothing is held: few people bring so much that hardly a point would be left.
            world.brand.risk_hold = world.brand.risk_refuse = 100
            self._links = [world.link(world.advocate(), channel=f"n{n % 3}").id for n in range(ADVOCATES)]
            self._world_ids = world.brand.id, world.campaign.id
            db.session.commit()

    def stir(self) -> None:
        """Many clicks, most of them by people who are new; some orders of theirs, and some of those given back."""
        with self._app.app_context():
            world = _world(db.session, *self._world_ids)
            links = {link.id: link for link in _links(db.session, self._links)}
            for _each in range(CLICKS_EACH_TIME):
                self._clicks += 1
                visitor = self._clicks if self._dice.random() < 0.9 else self._dice.randint(1, self._clicks)
                earlier = -timedelta(seconds=self._dice.uniform(0, 5))
                made = click(
                    world, links[self._dice.choice(self._links)], visitor=visitor, later=earlier, at=clock.now()
                )
                if _each < ORDERS_EACH_TIME:
                    self._order(made)
            # Sometimes the boards have to be made by other rules, while all of this goes on.
            if self._changes_rules and self._dice.random() < 0.3:
                change_policy(db.session, world.brand, {"weights": {"human_click": self._dice.choice((1000, 3000))}})
            db.session.commit()

    def _order(self, made: Click) -> None:
        self._orders += 1
        order, brand_id = f"O{self._orders}", self._world_ids[0]
        facts: dict[str, Any] = {
            "order_id": order,
            "amount_minor": 100,
            "currency": "EUR",
            "occurred_at": clock.now().isoformat(),
        }
        told = ConversionIn.model_validate({**facts, "click_id": str(made.token)})
        record_conversion(db.session, brand_id, told, window_days=90)
        if self._dice.random() < 0.4:
            back = RefundIn.model_validate({**facts, "refund_id": f"R{order}"})
            record_refund(db.session, brand_id, back)


def _world(session: Session, brand_id: int, campaign_id: int) -> World:
    return World(session, session.get_one(Brand, brand_id), session.get_one(Campaign, campaign_id))


def _links(session: Session, ids: list[int]) -> list[ShareLink]:
    return list(session.scalars(sa.select(ShareLink).where(ShareLink.id.in_(ids))))


def behind(app: Flask) -> dict[str, int]:
    """How many clicks wait to be judged and entries to be folded, by the cursor that has not reached them; and how many
    editions of the boards are being made."""
    with app.app_context():
        waiting = {
            name: (db.session.scalar(sa.select(sa.func.max(model.id))) or 0) - cursors.place_of(db.session, name)
            for name, model in CURSORS
        }
        being_made = sa.select(sa.func.count()).where(Scoring.since.is_(None), Scoring.until.is_(None))
        waiting["editions"] = db.session.scalar(being_made) or 0
    return {name: rows for name, rows in waiting.items() if rows}


def audit(app: Flask) -> list[str]:
    """What is wrong with the boards, now that nobody works on them."""
    with app.app_context():
        found = [*_counted_otherwise(db.session), *_judged_otherwise(db.session)]
        before = _everything(db.session)
        for brand_id in db.session.scalars(sa.select(Board.brand_id).distinct()):
            services.rebuild(db.session, brand_id)
        after = _everything(db.session)
        db.session.rollback()
    return found + [
        f"{name}: {len(before[name] ^ after[name])} rows are not as a rebuild makes them"
        for name in before
        if before[name] != after[name]
    ]


def _everything(session: Session) -> dict[str, set[str]]:
    """Every row that is projected, floats as they are stored; ranges nobody stands in are as good as none."""
    named = Board.brand_id, Board.kind, Board.ref_id, Board.days
    rows = {
        "standings": sa.select(*named, *_figures(Standing)).join(Board).where(IS_SHOWN_BOARD),
        "counts of scores": sa.select(*named, *_figures(ScoreCount))
        .join(Board)
        .where(IS_SHOWN_BOARD, ScoreCount.n != 0),
        "days": sa.select(Scoring.brand_id, *_figures(DayPoints)).join(Scoring).where(IS_SHOWN),
    }
    return {name: {repr(tuple(row)) for row in session.execute(asked)} for name, asked in rows.items()}


def _figures(model: Any) -> list[Any]:
    """All columns but those that say to which edition a row belongs."""
    return [column for column in model.__table__.c if column.name not in {"board_id", "scoring_id"}]


def _counted_otherwise(session: Session) -> Iterator[str]:
    """The whole brand's board against the entries that are left, counted by the database."""
    back = aliased(PointsEntry)
    living = PointsEntry.reverses_id.is_(None), ~sa.exists().where(back.reverses_id == PointsEntry.id)
    for cause, column in (("human_click", Standing.human_clicks), ("conversion", Standing.conversions)):
        entries = session.scalar(sa.select(sa.func.count()).where(PointsEntry.cause == cause, *living)) or 0
        whole = IS_SHOWN_BOARD, Board.kind == "brand", Board.days == 0
        counted = session.scalar(sa.select(sa.func.sum(column)).join_from(Standing, Board).where(*whole)) or 0
        if entries != counted:
            yield f"{cause}: {entries} living entries, {counted} on the board"


def _judged_otherwise(session: Session) -> Iterator[str]:
    """Clicks without a verdict, and people's first clicks without an entry."""
    clicks, verdicts = (session.scalar(sa.select(sa.func.count()).select_from(one)) for one in (Click, ClickVerdict))
    if clicks != verdicts:
        yield f"{clicks} clicks, {verdicts} verdicts"


def kills(plan: worker.Plan, number: int, bug: str = "") -> worker.Row:
    """`number` workers die while clicks come in; with a bug, until its harm is seen."""
    began, dice = time.monotonic(), random.Random(plan.seed)  # noqa: S311 (when to kill, not what to hide)
    wrongs: list[str] = []
    recoveries: list[float] = []
    with site(plan.new_database(), plan.place(f"boards{bug}"), bug=bug, people=0) as one:
        app = create_app(Settings(env="test", database_url=one.database, data_dir=one.folder / "var"))
        # What is counted twice would be right again on boards that are made from nothing.
        shop = Shop(app, dice, changes_rules=not bug)
        for _kill in range(number):
            at = time.monotonic()
            _kill_one(one, shop, dice)
            recoveries.append(time.monotonic() - at)
        last = one.start_worker()
        if not _catches_up(one, app):
            wrongs.append(f"the last worker never caught up: {behind(app)}")
        last.child.terminate()
        last.child.wait()
        wrongs += audit(app)
        with app.app_context():
            entries = db.session.scalar(sa.select(sa.func.count()).select_from(PointsEntry))
        with app.app_context():
            db.engine.dispose()
    did = f"{len(recoveries)} kills, {entries:,} entries, seed {plan.seed}"
    took = time.monotonic() - began
    return worker.Row(plan.database, "boards kill -9", did, wrongs, took, 0, len(recoveries), max(recoveries), bug)


def _catches_up(one: Site, app: Flask) -> bool:
    """Whether nothing waits any more; not if what waits has not become less for a while."""
    while left := behind(app):
        if not one.until(lambda was=left: behind(app) != was, PATIENCE_SECONDS):  # type: ignore[misc]
            return False
    return True


def _kill_one(one: Site, shop: Shop, dice: random.Random) -> None:
    """One worker from its start to its death: at a named place, or somewhere in the work it finds."""
    moments = [dice.uniform(0.05, 0.8) for _stir in range(3)]
    if one.bug:  # it only shows in between
        moments[-1] = 30.0
        victim: Process = one.start_worker(failpoint=f"folded:{dice.randint(1, 3)}")
    elif dice.random() < 0.5:
        sides = [f"{each}-{side}-commit" for each in ROUNDS for side in ("before", "after")]
        victim = one.start_worker(failpoint=f"{dice.choice([*sides, EXCHANGE])}:{dice.randint(1, 3)}")
    else:
        victim = one.start_worker()
    one.until_ready(victim)
    for moment in moments:
        shop.stir()
        if one.until(lambda: not victim.is_alive(), moment):
            break
    one.kill(victim)


def plan_of(database: str, new_database: Callable[[], str], folder: Path, options: Namespace) -> worker.Plan:
    """What the command asks for."""
    return worker.Plan(database, new_database, folder, kills=options.kills or 20, seed=options.seed)


def run(plan: worker.Plan) -> Iterator[worker.Row]:
    """The planted bug first: what does not see it proves nothing."""
    yield kills(plan, 3, bug="noted-after-folded")
    yield kills(plan, plan.kills)
