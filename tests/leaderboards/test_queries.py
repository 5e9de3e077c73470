"""Reading boards: true ranks, nobody shown who does not want to be, and an explanation that adds up."""

import random
from datetime import timedelta

import pytest
import sqlalchemy as sa

from amplify.leaderboards import queries
from amplify.leaderboards.boards import WHOLE_BRAND, find_board
from amplify.leaderboards.explain import why
from amplify.leaderboards.models import Board, Standing
from amplify.sharing.models import Advocate
from amplify.sharing.services import show_name
from tests.leaderboards.scene import advocates_with, catch_up
from tests.leaderboards.test_services import convert, refund, share
from tests.tracking.world import FACEBOOK, NOON, World, click


def brand_board(world: World) -> Board:
    board = find_board(world.session, world.brand.id, WHOLE_BRAND)
    assert board is not None
    return board


def test_the_top_stands_in_order_with_raw_clicks_beside_human_ones(world: World) -> None:
    few, many = advocates_with(world, 1, 3)
    click(world, world.link(few, "email"), agent=FACEBOOK)
    catch_up(world)
    rows = queries.top(world.session, brand_board(world), 10, NOON)
    assert [(row.rank, row.advocate_id, row.human_clicks, row.raw_clicks) for row in rows] == [
        (1, many.id, 3, 3),
        (2, few.id, 1, 2),
    ]
    assert rows[0].score == pytest.approx(3.0, rel=0.01)


def test_raw_clicks_are_those_of_the_boards_own_links(world: World) -> None:
    madrid = world.location("madrid")
    (advocate,) = advocates_with(world, 2, location_id=madrid.id)
    click(world, world.link(advocate, "email"), visitor=9)
    catch_up(world)
    board = find_board(world.session, world.brand.id, ("location", madrid.id))
    assert board is not None
    (row,) = queries.top(world.session, board, 10, NOON)
    assert (row.human_clicks, row.raw_clicks) == (2, 2)


def test_who_left_the_board_is_not_listed_and_the_ranks_stay_true(world: World) -> None:
    first, second, third = advocates_with(world, 3, 2, 1)
    show_name(world.session, second, None, on_board=False)
    rows = queries.top(world.session, brand_board(world), 2, NOON)
    assert [(row.rank, row.advocate_id) for row in rows] == [(1, first.id), (3, third.id)]
    assert queries.rank_of(world.session, brand_board(world), second.id) == 2
    seen_by_third = queries.around(world.session, brand_board(world), third.id, 2, NOON)
    assert [(row.rank, row.advocate_id) for row in seen_by_third] == [(1, first.id), (3, third.id)]
    seen_by_second = queries.around(world.session, brand_board(world), second.id, 2, NOON)
    assert [(row.rank, row.is_me) for row in seen_by_second] == [(1, False), (2, True), (3, False)]


def test_a_name_stands_there_only_with_consent_and_only_until_erasure(world: World) -> None:
    plain, named, erased = advocates_with(world, 3, 2, 1)
    show_name(world.session, named, "Nadia K.")
    show_name(world.session, erased, "Elena P.")
    assert erased.customer is not None
    erased.customer.erased_at = NOON
    world.session.flush()
    rows = queries.top(world.session, brand_board(world), 9, NOON)
    assert [(row.name, row.is_named) for row in rows] == [
        (plain.pseudonym, False),
        ("Nadia K.", True),
        (erased.pseudonym, False),
    ]


def test_every_rank_equals_a_naive_sort(world: World) -> None:
    chance = random.Random(7)  # noqa: S311
    advocates = advocates_with(world, *(chance.randint(0, 4) for _ in range(25)))
    board = brand_board(world)
    stored = world.session.scalars(sa.select(Standing).where(Standing.board_id == board.id)).all()
    naive = sorted(stored, key=lambda s: (-(s.score_log or 0), s.reached_at, s.advocate_id))
    expected = {one.advocate_id: rank for rank, one in enumerate(naive, 1)}
    for advocate in advocates:
        assert queries.rank_of(world.session, board, advocate.id) == expected.get(advocate.id)
    assert [row.advocate_id for row in queries.top(world.session, board, 99, NOON)] == [
        one.advocate_id for one in naive
    ]
    assert queries.size(world.session, board) == len(naive)


def test_around_me_shows_both_sides_in_order(world: World) -> None:
    advocates = advocates_with(world, 9, 8, 7, 6, 5, 4, 3)
    rows = queries.around(world.session, brand_board(world), advocates[3].id, 2, NOON)
    assert [(row.rank, row.advocate_id) for row in rows] == [(n + 1, advocates[n].id) for n in range(1, 6)]
    assert [row.is_me for row in rows] == [False, False, True, False, False]
    assert queries.around(world.session, brand_board(world), world.advocate().id, 2, NOON) == []


def test_the_explanation_adds_up_to_the_score_shown(world: World) -> None:
    chance = random.Random(3)  # noqa: S311
    advocates: list[Advocate] = []
    for n in range(12):
        advocate = world.advocate()
        advocates.append(advocate)
        link = world.link(advocate)
        for visitor in range(chance.randint(1, 9)):
            click(world, link, visitor=visitor, at=NOON - timedelta(hours=chance.randint(1, 3000)))
        bought = [convert(world, link, f"{n}-{k}", NOON - timedelta(days=k)) for k in range(chance.randint(0, 3))]
        if bought:
            refund(world, bought[0], link)
        share(world, link)
    catch_up(world)
    shown = {row.advocate_id: row.score for row in queries.top(world.session, brand_board(world), 99, NOON)}
    for advocate in advocates:
        explained = why(world.session, advocate, NOON)
        assert explained.score_hundredths == pytest.approx(shown[advocate.id] * 100, abs=0.5001)
        assert sum(line.worth_hundredths for line in explained.counted) == explained.score_hundredths


def test_the_explanation_says_what_did_not_count_and_why(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate, "whatsapp")
    click(world, link)
    click(world, link)
    click(world, link, visitor=2, agent=FACEBOOK)
    own = click(world, link, visitor=3, is_own=True)
    catch_up(world)
    order = convert(world, link, "A")
    order.click_id, order.link_id, order.attribution = own.id, None, "click-self"
    order.named_link_id = own.link_id
    world.session.flush()
    explained = why(world.session, advocate, NOON)
    assert {(one.what, one.verdict, one.n) for one in explained.not_counted} == {
        ("click", "duplicate", 1),
        ("click", "preview", 1),
        ("click", "self", 1),
        ("conversion", "click-self", 1),
    }
    assert explained.raw_clicks == 4
    assert {line.channel for line in explained.counted} == {"whatsapp"}


def test_a_taken_back_entry_says_so(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    refund(world, convert(world, link, "A"), link)
    explained = why(world.session, advocate, NOON)
    assert [(line.cause, line.milli_points, line.taken_back_by) for line in explained.counted] == [
        ("refund", -20000, None),
        ("conversion", 20000, "refund"),
    ]
    assert explained.score_hundredths == 0
