"""Many rows in one statement: every type a column may have comes back as it was, on both databases."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import bulk
from amplify.fraud.models import RiskMailbox
from amplify.leaderboards.boards import WHOLE_BRAND, board_ids
from amplify.leaderboards.models import Standing
from amplify.leaderboards.scoring import begin
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
    board = board_ids(session, begin(session, world.brand.id), [WHOLE_BRAND])[WHOLE_BRAND]
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


def test_what_many_rows_have_in_common_is_stored_as_it_was(session: Session) -> None:
    world = make_world(session)
    board = board_ids(session, begin(session, world.brand.id), [WHOLE_BRAND])[WHOLE_BRAND]
    people = [world.advocate().id for _ in range(3)]
    shared = {
        "board_id": board,
        "reached_at": NOON,
        "score_log": 17_234.123456789012,
        "milli_points": -5,
        "tie": b"a\0'",
    }
    rest = dict.fromkeys(("human_clicks", "conversions", "shares", "recognition_log"), 0)
    bulk.insert_many(session, Standing, {**shared, **rest}, {"advocate_id": people})
    columns = [getattr(Standing, name) for name in shared]
    stored = session.execute(sa.select(*columns).where(Standing.advocate_id.in_(people))).all()
    assert [tuple(row) for row in stored] == [tuple(shared.values())] * 3


@pytest.mark.parametrize("text", ["o'neill", "'); DROP TABLE brands; --", "", "señal ✓", "\\", "''", "?", ":x"])
def test_no_common_text_ends_its_statement(session: Session, text: str) -> None:
    world = make_world(session)
    people = [world.advocate().id for _ in range(2)]
    bulk.insert_many(session, RiskMailbox, {"brand_id": world.brand.id, "mailbox": text}, {"advocate_id": people})
    mine = sa.select(RiskMailbox.mailbox).where(RiskMailbox.brand_id == world.brand.id)
    assert session.scalars(mine).all() == [text] * 2
