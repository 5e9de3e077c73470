"""`amplify clicks reclassify` in processes of its own, killed in the middle and run again."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session

from amplify.core import schema
from amplify.core.failpoints import EXIT_CODE
from amplify.leaderboards.models import PointsEntry
from amplify.leaderboards.services import project
from amplify.tracking.models import ClickVerdict, FirstClick
from amplify.tracking.services import track
from bench.peers.seeding import engine_of
from tests.cli.conftest import Amplify
from tests.tracking.test_reclassify import (
    CURL,
    assert_standings_equal_a_rebuild,
    human_clicks,
    other_rules,
    project_all,
)
from tests.tracking.world import CHROME, IPHONE, NOON, World, click, make_world

DAY = f"{NOON:%Y-%m-%d}"
CLICKS = 1_300


@pytest.fixture
def world(environment: dict[str, str], whole_app: APIFlask) -> Any:
    """Judged and ranked under other rules than this version's. (`whole_app` connects the floors.)"""
    engine = engine_of(environment["AMPLIFY_DATABASE_URL"])
    schema.upgrade(engine)
    with Session(engine, expire_on_commit=False) as session, other_rules(0):
        world = make_world(session)
        links = [world.link(world.advocate()) for _ in range(5)]
        for n in range(CLICKS):
            agent = (CHROME, IPHONE, CURL)[n % 3]
            click(world, links[n % 5], visitor=n // 2, agent=agent, later=timedelta(seconds=n))
        while track(session, 500):
            pass
        project_all(session)
        session.commit()
        yield world
    engine.dispose()


@pytest.mark.parametrize(
    ("reached", "killed_after", "goes_on_with"),
    [
        # From the 700th on the tracker's last batch might have taken something back: these are judged apart.
        (3, f"700 of {CLICKS} clicks", f"1200 of {CLICKS} clicks"),
        (7, "500 of 866 corrections", "866 of 866 corrections"),
    ],
)
def test_a_run_that_is_killed_goes_on_and_judges_nothing_twice(
    world: World, amplify: Amplify, reached: int, killed_after: str, goes_on_with: str
) -> None:
    command = ("clicks", "reclassify", "--since", DAY, "--brand", "acme", "--json")
    before = human_clicks(world.session)
    world.session.commit()
    killed = amplify(*command, AMPLIFY_ENV="test", AMPLIFY_FAILPOINT=f"reclassify-before-commit:{reached}")
    assert killed.returncode == EXIT_CODE, killed.stderr
    assert killed.stderr.splitlines()[-1] == killed_after
    done = amplify(*command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == goes_on_with
    assert done.stderr.splitlines()[-1] == f"{2 * (CLICKS // 3)} of {2 * (CLICKS // 3)} corrections"
    told = json.loads(done.stdout)
    iphones, curls = CLICKS // 3, CLICKS // 3
    assert (told["judged"], told["changed"], told["now_human"], told["no_longer_human"]) == (
        CLICKS, iphones + curls, iphones, curls,
    )  # fmt: skip
    session = world.session
    session.expire_all()
    assert dict(list(session.execute(sa.select(PointsEntry.cause, sa.func.count()).group_by(PointsEntry.cause)))) == {
        "human_click": before + iphones, "reclassified": curls,
    }  # fmt: skip
    assert set(session.scalars(sa.select(FirstClick.run))) == {0}
    human = session.scalar(sa.select(sa.func.count()).where(ClickVerdict.verdict == "human"))
    assert_standings_equal_a_rebuild(session, world.brand.id)
    assert human_clicks(session) == human == before + iphones - curls
    assert project(session, 10) == 0


def test_an_unknown_brand_is_one_line(world: World, amplify: Amplify) -> None:
    done = amplify("clicks", "reclassify", "--since", DAY, "--brand", "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
