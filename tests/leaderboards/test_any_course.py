"""Whatever happens in whatever order: standings and counts as from nothing, true ranks, an order that lasts."""

import math
from collections import Counter
from datetime import timedelta
from itertools import count, pairwise
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy.orm import Session

from amplify.brands.policy import change_policy
from amplify.core import jobs
from amplify.customers.services import erase
from amplify.leaderboards import queries, services
from amplify.leaderboards.decay import worth_now
from amplify.leaderboards.histogram import LEVEL_BITS
from amplify.leaderboards.models import Board, PointsEntry, ScoreCount, Standing
from amplify.sharing.models import Advocate, ShareLink
from amplify.sharing.services import show_name
from amplify.tracking.conversions import record_conversion, record_refund
from amplify.tracking.models import Click
from amplify.tracking.schemas import ConversionIn, RefundIn
from amplify.tracking.services import track
from tests.leaderboards.test_services import FIGURES, share
from tests.tracking.world import NOON, World, click, make_world

HOURS = st.integers(0, 4000)
FEW = st.integers(1, 9)
_number = count(1)


class Course(RuleBasedStateMachine):
    """A brand, its people, the shop and the worker, each doing something at any time."""

    session: Session
    links = Bundle("links")
    clicks = Bundle("clicks")
    orders = Bundle("orders")

    @initialize()
    def begin(self) -> None:
        self.world: World = make_world(self.session, f"course-{next(_number)}")
        self.advocates: list[Advocate] = []
        self.places = [self.world.location("here").id, None]

    @rule(target=links, is_here=st.booleans())
    def somebody_shares(self, is_here: bool) -> ShareLink:
        self.advocates.append(self.world.advocate())
        return self.world.link(self.advocates[-1], location_id=self.places[0 if is_here else 1])

    @rule(target=clicks, link=links, hours=HOURS, visitor=FEW)
    def a_friend_follows_the_link(self, link: ShareLink, hours: int, visitor: int) -> Click:
        return click(self.world, link, visitor=visitor, later=-timedelta(hours=hours))

    @rule(link=links, visitors=st.integers(5, 30))
    def many_follow_the_link_at_the_same_instant(self, link: ShareLink, visitors: int) -> None:
        for visitor in range(visitors):
            click(self.world, link, visitor=visitor)

    @rule(link=links, hours=HOURS)
    def a_share_is_confirmed(self, link: ShareLink, hours: int) -> None:
        share(self.world, link, NOON - timedelta(hours=hours))

    @rule(target=orders, click=clicks, hours=st.integers(0, 50))
    def a_friend_buys(self, click: Click, hours: int) -> str:
        order = f"O{next(_number)}"
        facts = {"order_id": order, "amount_minor": 100, "currency": "EUR", "click_id": click.token}
        at = min(NOON, click.at + timedelta(hours=hours))
        told = ConversionIn.model_validate({**facts, "occurred_at": at.isoformat()})
        record_conversion(self.session, self.world.brand.id, told, window_days=90)
        return order

    @rule(order=orders)
    def an_order_is_given_back(self, order: str) -> None:
        facts = {"refund_id": f"R{order}", "order_id": order, "amount_minor": 100, "currency": "EUR"}
        told = RefundIn.model_validate({**facts, "occurred_at": NOON.isoformat()})
        record_refund(self.session, self.world.brand.id, told)

    @rule(milli=st.sampled_from([0, 1, 250, 1000, 7000]))
    def weights_change(self, milli: int) -> None:
        change_policy(self.session, self.world.brand, {"weights": {"human_click": milli}})

    @rule(days=st.sampled_from([0.5, 7, 30, 3650]))
    def the_half_life_changes(self, days: float) -> None:
        change_policy(self.session, self.world.brand, {"half_life_days": days})

    @rule(who=st.integers(0, 99), on_board=st.booleans())
    def somebody_leaves_the_board_or_returns(self, who: int, on_board: bool) -> None:
        if self.advocates:
            show_name(self.session, self.advocates[who % len(self.advocates)], None, on_board=on_board)

    @rule(who=st.integers(0, 99))
    def somebody_is_erased(self, who: int) -> None:
        if self.advocates:
            customer = self.advocates[who % len(self.advocates)].customer
            assert customer is not None
            erase(self.session, customer, "test")

    @rule(judged=FEW, folded=FEW)
    def the_worker_does_a_round(self, judged: int, folded: int) -> None:
        track(self.session, judged * 4)
        services.project(self.session, folded * 4)

    @rule()
    def the_worker_does_its_jobs(self) -> None:
        self.session.commit()
        jobs.drain(self.session)

    @invariant()
    def the_counts_are_those_of_the_standings(self) -> None:
        if hasattr(self, "world"):
            expected: Counter[tuple[int, int, int]] = Counter()
            for board_id, score_log in self.stored(Standing.board_id, Standing.score_log):
                if score_log is not None:
                    for bits in LEVEL_BITS:
                        expected[board_id, LEVEL_BITS.index(bits), math.floor(score_log * 2**bits)] += 1
            assert self.counts() == expected

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.the_worker_does_its_jobs()
            while track(self.session, 500) + services.project(self.session, 500):
                pass
            self.ranks_are_those_of_a_naive_sort()
            self.the_order_is_that_of_the_formula()
            before = self.stored(*FIGURES), self.counts()
            services.rebuild(self.session, self.world.brand.id)
            assert (self.stored(*FIGURES), self.counts()) == before

    def stored(self, *columns: Any) -> list[tuple[Any, ...]]:
        mine = sa.select(*columns).join_from(Board, Standing).where(Board.brand_id == self.world.brand.id)
        return sorted((tuple(row) for row in self.session.execute(mine)), key=repr)

    def counts(self) -> Counter[tuple[int, int, int]]:
        columns = (ScoreCount.board_id, ScoreCount.level, ScoreCount.bucket, ScoreCount.n)
        mine = sa.select(*columns).join_from(Board, ScoreCount).where(Board.brand_id == self.world.brand.id)
        found = self.session.execute(mine)
        return Counter({(board_id, level, bucket): n for board_id, level, bucket, n in found if n})

    def ranks_are_those_of_a_naive_sort(self) -> None:
        for board in self.session.scalars(sa.select(Board).where(Board.brand_id == self.world.brand.id)):
            columns = (Standing.advocate_id, Standing.score_log, Standing.reached_at)
            rows = self.session.execute(sa.select(*columns).where(Standing.board_id == board.id)).all()
            ranked = sorted((-log, at, who) for who, log, at in rows if log is not None)
            expected = {who: rank for rank, (_, _, who) in enumerate(ranked, 1)}
            assert queries.size(self.session, board) == len(ranked)
            for advocate in self.advocates:
                rank = expected.get(advocate.id)
                assert queries.rank_of(self.session, board, advocate.id) == rank
                seen = {row.advocate_id: row.rank for row in queries.around(self.session, board, advocate.id, 2, NOON)}
                assert seen.get(advocate.id) == rank
                assert seen.items() <= expected.items()
            listed = {one.id for one in self.advocates if one.on_board}
            shown = [(row.advocate_id, row.rank) for row in queries.top(self.session, board, 999, NOON)]
            assert shown == [(who, expected[who]) for *_, who in ranked if who in listed]

    def the_order_is_that_of_the_formula(self) -> None:
        """sum(weight * 2^-(age in half-lives)), tomorrow and in a hundred days."""
        brand = self.world.brand
        taken_back = sa.select(PointsEntry.reverses_id).where(PointsEntry.reverses_id.is_not(None))
        living = sa.select(PointsEntry).where(PointsEntry.brand_id == brand.id, PointsEntry.id.not_in(taken_back))
        counted = self.session.scalars(living.where(PointsEntry.milli_points > 0, PointsEntry.is_reward_eligible)).all()
        ranked = sa.select(Standing.advocate_id).join(Board).where(Board.brand_id == brand.id, Board.kind == "brand")
        by_log = ranked.where(Standing.score_log.is_not(None)).order_by(Standing.score_log.desc())
        order = self.session.scalars(by_log).all()
        for days in (1, 100):
            worth = dict.fromkeys(order, 0.0)
            for entry in counted:
                later, days_each = NOON + timedelta(days=days), brand.half_life_days
                worth[entry.advocate_id] += worth_now(entry.milli_points, entry.occurred_at, later, days_each)
            assert all(worth[better] >= worth[worse] * (1 - 1e-9) > 0 for better, worse in pairwise(order))


def test_any_course_of_events_gives_what_a_rebuild_gives_and_ranks_as_a_naive_sort(world: World) -> None:
    class Here(Course):
        session = world.session

    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    bounded = settings(max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=slow)
    run_state_machine_as_test(Here, settings=bounded)
