"""The demo's explanations: for each of its advocates the listed values add up to the score that is shown."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.core.web import amplify
from amplify.demo.seed import seed
from amplify.leaderboards.decay import score_at
from amplify.leaderboards.explain import why
from amplify.leaderboards.models import Board, Standing
from amplify.leaderboards.windows import fold_windows
from amplify.sharing.models import Advocate
from amplify.sharing.tokens import PURPOSE, share_page_token
from tests.client import Client
from tests.leaderboards.shown import IS_SHOWN_BOARD

# The boards that an advocate can choose, as their kinds and days are stored.
CHOICES = {
    "all": ("brand", 0),
    "7": ("brand", 7),
    "30": ("brand", 30),
    "90": ("brand", 90),
    "campaign": ("campaign", 0),
}
VALUE = re.compile(r'<strong class="points">([^<]+)</strong>')


@pytest.fixture
def brand(session: Session) -> Brand:
    brand = seed(session, datetime.now(UTC), lambda done, of: None, answers=200)
    while fold_windows(session, 5_000):
        pass
    session.commit()
    return brand


def standings(session: Session, brand: Brand) -> Iterator[tuple[Standing, Advocate, Board]]:
    found = sa.select(Standing, Advocate, Board).join(Board, Board.id == Standing.board_id)
    for row in session.execute(found.join(Advocate).where(IS_SHOWN_BOARD, Board.brand_id == brand.id)):
        yield row[0], row[1], row[2]


def shown_at(standing: Standing, board: Board, brand: Brand, now: datetime) -> float:
    return standing.milli_points / 1000 if board.days else score_at(standing.score_log, now, brand.half_life_days)


def test_for_every_advocate_of_the_demo_the_listed_values_add_up_to_the_score(session: Session, brand: Brand) -> None:
    now, looked_at = clock.now(), dict.fromkeys((0, 7, 30, 90), 0)
    for standing, advocate, board in standings(session, brand):
        explained = why(session, advocate, now, (board.kind, board.ref_id), days=board.days)
        assert sum(line.worth_hundredths for line in explained.counted) == explained.score_hundredths
        assert sum(worth for _cause, _number, worth in explained.in_short) == explained.score_hundredths
        assert abs(explained.score_hundredths / 100 - shown_at(standing, board, brand, now)) < 0.0051
        looked_at[board.days] += 1
    assert looked_at[0] > 50
    assert min(looked_at.values()) > 3


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def test_every_page_lists_values_that_add_up_to_the_points_it_shows_and_the_board_shows(
    app: APIFlask, session: Session, client: Client, brand: Brand
) -> None:
    campaign = session.scalars(sa.select(Campaign).where(Campaign.is_always_on)).one()
    signer, now, looked_at = amplify().signer(PURPOSE), clock.now(), 0
    scores = {
        (advocate.id, board.kind, board.days): shown_at(standing, board, brand, now)
        for standing, advocate, board in standings(session, brand)
        if board.ref_id in (0, campaign.id)
    }
    for advocate in session.scalars(sa.select(Advocate).where(Advocate.brand_id == brand.id)).all():
        token = share_page_token(signer, advocate, None, campaign.id)
        for choice, stored in CHOICES.items():
            answer = client.get(f"/board/{token}/why?board={choice}&lang=en")
            if advocate.customer is None or advocate.customer.erased_at:
                assert answer.status_code == 410
                continue
            page = answer.text
            (said,) = re.findall(r"Your points now: ([\d.,-]+)", page)
            listed = VALUE.findall(page.split('id="counted-heading"')[1].split("</section>")[0])
            *lines, together = [number(one) for one in listed] or [Decimal(0)]
            assert sum(lines) == together == number(said)
            assert abs(float(together) - scores.get((advocate.id, *stored), 0.0)) < 0.02
            looked_at += bool(lines)
    assert looked_at > 50
