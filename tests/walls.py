"""A served board with links to it: what the tests of walls begin with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import TypeVar

import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session

from amplify.app import create_app
from amplify.core import clock, schema
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.leaderboards.board_links import make_link, revoke
from amplify.leaderboards.boards import WHOLE_BRAND
from amplify.leaderboards.models import BoardLink
from amplify.sharing.models import ShareLink
from tests.e2e.test_share_page import aside
from tests.fronted import serve
from tests.leaderboards.scene import advocates_with, catch_up
from tests.tracking.world import World, click, make_world

T = TypeVar("T")


@dataclass
class Wall:
    """A running front, its database as seen by another process, and the address of a shared board."""

    app: APIFlask
    port: int
    process: "Popen[bytes]"
    path: str
    link_id: int
    world: World

    def do(self, act: Callable[[Session], T]) -> T:
        """Something that happens elsewhere, committed."""

        def inside() -> T:
            made = act(db.session)
            db.session.commit()
            return made

        return aside(self.app, inside)

    def click_for(self, place: int, visitor: int) -> None:
        """A new person follows the link of the place-th advocate, and the worker's rounds run."""

        def act(session: Session) -> None:
            self.world.session = session
            link = session.scalars(sa.select(ShareLink).order_by(ShareLink.id)).all()[place - 1]
            click(self.world, link, visitor=visitor, at=clock.now())
            catch_up(self.world)

        self.do(act)

    def revoke(self) -> None:
        self.do(lambda session: revoke(session, session.get_one(BoardLink, self.link_id).brand_id, self.link_id, "x"))


@contextmanager
def on_the_wall(database: str, folder: Path, **settings: object) -> Iterator[Wall]:
    """Three advocates with three, two and one human clicks."""
    url = sa.make_url(database)
    engine = sa.create_engine(url if "sqlite" in database else url.set(drivername="postgresql+psycopg"))
    schema.upgrade(engine)
    engine.dispose()
    app = create_app(Settings(env="test", database_url=database, data_dir=folder))
    world, path, link_id = aside(app, populate)
    with serve(database, folder, **settings) as (port, process):
        yield Wall(app, port, process, path, link_id, world)
    aside(app, lambda: db.engine.dispose())


def populate() -> tuple[World, str, int]:
    world = make_world(db.session, "aurora")
    world.brand.name, world.brand.theme = "Casa Aurora", {"accent": "#8a3ffc"}
    advocates_with(world, 3, 2, 1)
    link, secret = make_link(
        db.session, world.brand, name="Friends of Aurora", board=WHOLE_BRAND, shown=5, days=365, password="", actor="x"
    )
    db.session.commit()
    return world, f"/shared/{secret}", link.id
