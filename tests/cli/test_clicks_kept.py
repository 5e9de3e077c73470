"""`amplify clicks keep`, and a worker that removes old clicks, is killed while it does, and goes on."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session

from amplify.core import clock, schema
from amplify.core.failpoints import EXIT_CODE
from amplify.tracking.models import Click, ClickCount, ClickRemoval
from amplify.tracking.services import track
from bench.peers.seeding import engine_of
from tests.cli.conftest import Amplify
from tests.tracking.test_counting import assert_nothing_is_miscounted
from tests.tracking.world import World, click, make_world

CLICKS = 700
AGO = timedelta(days=200)


@pytest.fixture
def world(environment: dict[str, str], whole_app: APIFlask) -> Iterator[World]:
    """Clicks of two hundred days ago, and one of today. (`whole_app` connects the floors.)"""
    engine = engine_of(environment["AMPLIFY_DATABASE_URL"])
    schema.upgrade(engine)
    with Session(engine, expire_on_commit=False) as session:
        world = make_world(session)
        link = world.link(world.advocate())
        for n in range(CLICKS):
            click(world, link, visitor=n, at=clock.now() - AGO, later=timedelta(minutes=n))
        click(world, link, visitor=1, at=clock.now())
        while track(session, 500):
            pass
        session.commit()
        yield world
    engine.dispose()


def test_it_says_what_is_in_force_and_refuses_what_is_too_short(world: World, amplify: Amplify) -> None:
    keep = ("clicks", "keep", "--brand", "acme")
    assert json.loads(amplify(*keep, "--json").stdout)["keep_clicks_days"] is None
    refused = amplify(*keep, "--days", "30")
    assert (refused.returncode, "after 90 days" in refused.stderr) == (1, True)
    told = json.loads(amplify(*keep, "--days", "90", "--json").stdout)
    assert told == {"brand": "acme", "keep_clicks_days": 90, "removed": 0}
    assert json.loads(amplify(*keep, "--for-ever", "--json").stdout)["keep_clicks_days"] is None


def test_a_worker_that_is_killed_in_the_middle_is_followed_by_one_that_ends_it(
    world: World, amplify: Amplify, environment: dict[str, str]
) -> None:
    session = world.session
    world.brand.keep_clicks_days = 90
    session.commit()
    killed = amplify("worker", AMPLIFY_ENV="test", AMPLIFY_FAILPOINT="removal-before-commit:2")
    assert killed.returncode == EXIT_CODE, killed.stderr
    assert_nothing_is_miscounted(session)
    assert 0 < (session.scalar(sa.select(sa.func.sum(ClickCount.removed))) or 0) < CLICKS
    session.commit()
    worker = subprocess.Popen([sys.executable, "-m", "amplify", "worker"], env=environment)
    try:
        until = time.monotonic() + 100
        while not session.scalar(sa.select(ClickRemoval.is_done)) and time.monotonic() < until:
            session.commit()
            time.sleep(0.3)
    finally:
        worker.kill()  # once more in the middle of whatever it does
        worker.wait()
    session.expire_all()
    assert session.scalar(sa.select(sa.func.count(Click.id))) == 1
    assert session.scalar(sa.select(sa.func.sum(ClickCount.removed))) == CLICKS
    assert session.scalar(sa.select(sa.func.sum(ClickCount.n))) == CLICKS + 1
    assert_nothing_is_miscounted(session)
    session.commit()
    again = amplify("clicks", "reclassify", "--since", f"{clock.now() - AGO:%Y-%m-%d}", "--json")
    assert json.loads(again.stdout)["removed"] == CLICKS, again.stderr
    assert f"{CLICKS} clicks of this time are removed" in again.stderr
