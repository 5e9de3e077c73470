"""The demo's explanations: for each of its advocates the listed values add up to the score that is shown."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.demo.seed import seed
from amplify.leaderboards.decay import score_at
from amplify.leaderboards.explain import why
from amplify.leaderboards.models import Board, Standing
from amplify.sharing.models import Advocate


def test_for_every_advocate_of_the_demo_the_listed_values_add_up_to_the_score(session: Session) -> None:
    brand = seed(session, datetime.now(UTC), lambda done, of: None, answers=200)
    now, looked_at = clock.now(), 0
    standings = sa.select(Standing, Advocate, Board.kind, Board.ref_id).join(Board, Board.id == Standing.board_id)
    joined = standings.join(Advocate, Advocate.id == Standing.advocate_id).where(
        Board.brand_id == brand.id, Board.days == 0
    )
    for standing, advocate, kind, ref_id in session.execute(joined):
        explained = why(session, advocate, now, (kind, ref_id))
        shown = score_at(standing.score_log, now, brand.half_life_days)
        assert sum(line.worth_hundredths for line in explained.counted) == explained.score_hundredths
        assert abs(explained.score_hundredths / 100 - shown) < 0.0051
        looked_at += 1
    assert looked_at > 50
