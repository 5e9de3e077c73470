"""Advocates with a given number of human clicks, on the boards."""

from datetime import timedelta
from itertools import count

from sqlalchemy.orm import Session

from amplify.leaderboards.making import make
from amplify.leaderboards.services import project
from amplify.sharing.models import Advocate
from amplify.tracking.services import track
from tests.tracking.world import World, click


def advocates_with(world: World, *clicks: int, **link: object) -> list[Advocate]:
    """One advocate per number, each with so many human clicks, an hour apart and older from the first to the last."""
    made: list[Advocate] = []
    for n in clicks:
        advocate = world.advocate()
        if n:
            mine = world.link(advocate, **link)  # type: ignore[arg-type]
        for visitor in range(n):
            click(world, mine, visitor=visitor, later=-timedelta(hours=len(made) + 1))
        made.append(advocate)
    catch_up(world)
    return made


def make_all(session: Session) -> int:
    """The worker's turns until the boards follow what the brand wishes; how many."""
    return next(turn for turn in count() if not make(session, 500))


def catch_up(world: World) -> None:
    """The worker's rounds until there is nothing left to do."""
    while track(world.session, 500) + project(world.session, 500):
        pass
