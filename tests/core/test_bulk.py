"""Many rows in one statement: every type a column may have comes back as it was, on both databases."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import bulk
from amplify.fraud.models import RiskMailbox
from amplify.leaderboards.boards import WHOLE_BRAND, board_ids
from amplify.leaderboards.models import Standing
from tests.tracking.world import NOON, make_world

NAMES = (
    "board_id",
    "advocate_id",
    "reached_at",
    "score_log",
    "milli_points",
    "human_clicks",
    "conversions",
    "shares",
    "tie",
)
KEY = "board_id, advocate_id"


def test_rows_are_added_and_those_that_are_there_are_changed(session: Session) -> None:
    world = make_world(session)
    board = board_ids(session, world.brand.id, [WHOLE_BRAND])[WHOLE_BRAND]
    anna, ben = world.advocate().id, world.advocate().id
    add = "human_clicks = standings.human_clicks + excluded.human_clicks"
    rows = [(board, anna, NOON, 1 / 3, 5, 2, 0, 0, b""), (board, ben, NOON, None, 0, 0, 0, 1, b"a\0")]
    bulk.upsert(session, Standing, NAMES, rows, key=KEY, update=add)
    bulk.upsert(session, Standing, NAMES, rows[:1], key=KEY, update=add)
    bulk.upsert(session, Standing, NAMES, [], key=KEY, update=add)
    columns = [getattr(Standing, name) for name in NAMES]
    stored = session.execute(sa.select(*columns).order_by(Standing.advocate_id)).all()
    assert [tuple(row) for row in stored] == [(board, anna, NOON, 1 / 3, 5, 4, 0, 0, b""), rows[1]]


def test_texts_come_back_as_they_were_whatever_stands_in_them(session: Session) -> None:
    world = make_world(session)
    texts = ['a "b" c', "back\\slash", "{x,NULL}", "NULL", "None", "", "o'neill %s", "señal ✓"]
    rows = [(world.advocate().id, world.brand.id, text) for text in texts]
    names = ("advocate_id", "brand_id", "mailbox")
    bulk.upsert(session, RiskMailbox, names, rows, key="advocate_id", update="mailbox = excluded.mailbox")
    mine = sa.select(RiskMailbox.mailbox).where(RiskMailbox.brand_id == world.brand.id)
    assert session.scalars(mine.order_by(RiskMailbox.advocate_id)).all() == texts
