"""Whatever happens in whatever order: standings and counts as from nothing, true ranks, an order that lasts."""

import math
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from itertools import count, pairwise
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from amplify.brands.models import TIE_RULES
from amplify.brands.policy import change_policy
from amplify.core import clock, jobs
from amplify.core.errors import Conflict, NotFound, TooMany
from amplify.core.events import publish
from amplify.customers.services import erase
from amplify.fraud import services as fraud
from amplify.fraud.models import RiskCase
from amplify.fraud.scoring import assess
from amplify.leaderboards import appeals, queries, services
from amplify.leaderboards.days import WINDOWS
from amplify.leaderboards.decay import score_at, worth_now
from amplify.leaderboards.decided import COUNTS_AS, subject_of
from amplify.leaderboards.histogram import LEVELS, WINDOW_LEVELS
from amplify.leaderboards.making import make, remove_replaced
from amplify.leaderboards.models import Board, EntryAppeal, PointsEntry, ScoreCount, Standing
from amplify.leaderboards.scoring import shown_id
from amplify.leaderboards.windows import fold_windows
from amplify.sharing.models import Advocate, ShareLink
from amplify.sharing.services import show_name
from amplify.tracking.conversions import record_conversion, record_refund
from amplify.tracking.events import ClicksReclassified
from amplify.tracking.models import Click
from amplify.tracking.schemas import ConversionIn, RefundIn
from amplify.tracking.services import track
from tests.leaderboards.test_services import FIGURES, share
from tests.tracking.world import NOON, World, click, make_world

NAMED: tuple[Any, ...] = (Board.kind, Board.ref_id, Board.days)
HOURS = st.integers(0, 4000)
FEW = st.integers(1, 9)
_number = count(1)


class Course(RuleBasedStateMachine):
    """A brand, its people, the shop and the worker, each doing something at any time."""

    session: Session
    traveller: time_machine.Traveller
    # What took effect, over all examples: what never does proves nothing.
    happened: Counter[str]
    links = Bundle("links")
    clicks = Bundle("clicks")
    orders = Bundle("orders")

    def begin(self) -> None:
        """Once, by whichever of the three below comes first."""
        if not hasattr(self, "world"):
            self.traveller.move_to(NOON)
            self.world: World = make_world(self.session, f"course-{next(_number)}")
            self.advocates: list[Advocate] = []
            self.places = [self.world.location("here").id, None]

    @initialize(target=links)
    def two_share(self) -> MultipleResults[ShareLink]:
        self.begin()
        return multiple(*(self.a_link(is_here) for is_here in (True, False)))

    @initialize(target=clicks)
    def a_rush_is_being_checked(self) -> MultipleResults[Click]:
        self.begin()
        link = self.a_link(True)
        come = [click(self.world, link, visitor=visitor) for visitor in range(30)]
        while track(self.session, 500) + assess(self.session, 500):
            pass
        self.spare = come[3:]
        return multiple(*come[:3])

    @initialize(target=orders)
    def two_have_bought(self) -> MultipleResults[str]:
        self.begin()
        link = self.a_link(False)
        come = [click(self.world, link, visitor=visitor, later=-timedelta(hours=visitor)) for visitor in (1, 2)]
        self.sold = [self.an_order(one, 1) for one in come]
        return multiple(*self.sold)

    @rule(target=links, is_here=st.booleans())
    def somebody_shares(self, is_here: bool) -> ShareLink:
        return self.a_link(is_here)

    def a_link(self, is_here: bool) -> ShareLink:
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
        return self.an_order(click, hours)

    def an_order(self, click: Click, hours: int) -> str:
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
        self.happened["refund"] += 1

    @rule(milli=st.sampled_from([0, 1, 250, 1000, 7000]))
    def weights_change(self, milli: int) -> None:
        change_policy(self.session, self.world.brand, {"weights": {"human_click": milli}})
        self.happened["weights"] += 1

    @rule(days=st.sampled_from([0.5, 7, 30, 3650]))
    def the_half_life_changes(self, days: float) -> None:
        change_policy(self.session, self.world.brand, {"half_life_days": days})

    @rule(rule=st.sampled_from(TIE_RULES))
    def the_rule_for_ties_changes(self, rule: str) -> None:
        change_policy(self.session, self.world.brand, {"tie_rule": rule})

    @rule(days=st.sampled_from([1, 6, 25, 70]))
    def days_pass(self, days: int) -> None:
        self.traveller.shift(timedelta(days=days))

    @rule(who=st.integers(0, 99), on_board=st.booleans())
    def somebody_leaves_the_board_or_returns(self, who: int, on_board: bool) -> None:
        if self.advocates:
            show_name(self.session, self.advocates[who % len(self.advocates)], None, on_board=on_board)

    @rule(who=st.integers(0, 99))
    def somebody_is_erased(self, who: int) -> None:
        if self.advocates:
            customer = self.advocates[who % len(self.advocates)].customer
            assert customer is not None
            self.happened["erased"] += 1
            erase(self.session, customer, "test")

    @rule(judged=FEW, folded=FEW, made=FEW)
    def the_worker_does_a_round(self, judged: int, folded: int, made: int) -> None:
        track(self.session, judged * 4)
        assess(self.session, judged * 4)
        services.project(self.session, folded * 4)
        fold_windows(self.session, folded * 4)
        make(self.session, made)
        remove_replaced(self.session, made)

    @rule(which=st.integers(0, 99), verdict=st.sampled_from(fraud.VERDICTS))
    def a_check_is_decided(self, which: int, verdict: str) -> None:
        cases = self.session.scalars(sa.select(RiskCase).where(RiskCase.brand_id == self.world.brand.id)).all()
        if cases:
            self.happened[f"check {verdict}"] += 1
            fraud.decide(self.session, cases[which % len(cases)], verdict, actor="user:1", reason="Looked at.")

    @rule(click=clicks, is_accepted=st.booleans())
    def a_visit_is_appealed(self, click: Click, is_accepted: bool) -> None:
        link = self.session.get_one(ShareLink, click.link_id)
        advocate = self.session.get_one(Advocate, link.advocate_id)
        while track(self.session, 500):  # what is not judged cannot be appealed
            pass
        told = None
        with suppress(NotFound, Conflict, TooMany):  # not judged yet, told already, or too many today
            told = appeals.appeal(self.session, advocate, f"click:{click.id}", "It was a friend.")
        if told:
            self.happened[f"appeal {is_accepted=}"] += 1
            appeals.answer(self.session, told, is_accepted=is_accepted, actor="user:1", reason="We looked.")

    @rule(click=clicks, is_person=st.booleans())
    def a_visit_is_judged_again(self, click: Click, is_person: bool) -> None:
        pair = [(click, self.session.get_one(ShareLink, click.link_id))]
        publish(self.session, ClicksReclassified(pair if is_person else [], [] if is_person else pair))
        self.happened[f"judged again {is_person=}"] += 1

    @invariant()
    def nothing_counts_twice_and_what_was_decided_is_so(self) -> None:
        if hasattr(self, "world"):
            living = Counter(subject_of(entry.cause_key) for entry in self.living_entries())
            assert max(living.values(), default=1) == 1
            mine = EntryAppeal.brand_id == self.world.brand.id, EntryAppeal.outcome == "accepted"
            decided = sa.select(EntryAppeal.subject, EntryAppeal.wants_counted).where(*mine)
            assert all((subject in living) == wanted for subject, wanted in self.session.execute(decided))

    @rule()
    def the_worker_does_its_jobs(self) -> None:
        self.session.commit()
        jobs.drain(self.session)

    @invariant()
    def the_counts_are_those_of_the_standings(self) -> None:
        if hasattr(self, "world"):
            expected: Counter[tuple[Any, ...]] = Counter()
            for *board, score_log in self.stored(*NAMED, Standing.score_log):
                if score_log is not None:
                    for level, bits in enumerate(WINDOW_LEVELS if board[-1] else LEVELS):
                        expected[*board, level, math.floor(score_log * 2**bits)] += 1
            assert self.counts() == expected

    def teardown(self) -> None:
        # A course that was given up while it was set up proves nothing.
        if hasattr(self, "spare") and hasattr(self, "sold"):
            self.everything_happens_once_more()
            self.the_worker_does_its_jobs()
            rounds = (track, assess, services.project, fold_windows, make)
            while sum(work(self.session, 3) for work in rounds):
                pass
            self.a_window_is_the_sum_of_its_days()
            self.ranks_are_those_of_a_naive_sort()
            self.the_order_is_that_of_the_formula()
            before = self.stored(*FIGURES), self.counts()
            services.rebuild(self.session, self.world.brand.id)
            assert (self.stored(*FIGURES), self.counts()) == before
            self.a_window_is_the_sum_of_its_days()

    def everything_happens_once_more(self) -> None:
        """At the end of every course, whatever the dice left out."""
        for number, yes in enumerate((True, False)):
            self.a_visit_is_appealed(self.spare[number], yes)
            self.a_visit_is_judged_again(self.spare[number + 2], yes)
            self.a_check_is_decided(number, fraud.VERDICTS[number])
        self.an_order_is_given_back(self.sold[0])
        self.weights_change(250)
        self.somebody_is_erased(len(self.advocates) - 1)

    def stored(self, *columns: Any) -> list[tuple[Any, ...]]:
        mine = sa.select(*columns).join_from(Board, Standing).where(Board.scoring_id == shown_id(self.world.brand.id))
        return sorted((tuple(row) for row in self.session.execute(mine)), key=repr)

    def counts(self) -> Counter[tuple[Any, ...]]:
        columns = (*NAMED, ScoreCount.level, ScoreCount.bucket, ScoreCount.n)
        mine = sa.select(*columns).join_from(Board, ScoreCount)
        found = self.session.execute(mine.where(Board.scoring_id == shown_id(self.world.brand.id)))
        return Counter({tuple(place): n for *place, n in found if n})

    def ranks_are_those_of_a_naive_sort(self) -> None:
        for board in self.session.scalars(sa.select(Board).where(Board.scoring_id == shown_id(self.world.brand.id))):
            ranked = self.naively_ranked(board)
            expected = {who: rank for rank, (*_, who) in enumerate(ranked, 1)}
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

    def naively_ranked(self, board: Board) -> list[tuple[Any, ...]]:
        """Points, then the brand's rule for ties, then who was first, then the older advocate."""
        one = Standing
        columns = one.score_log, one.milli_points, one.conversions, one.reached_at, one.advocate_id
        named = sa.select(Advocate.pseudonym, *columns).join_from(Standing, Advocate)
        ties: dict[str, Any] = {
            "earliest": lambda row: 0,
            "conversions": lambda row: -row.conversions,
            "pseudonym": lambda row: row.pseudonym.casefold(),
        }
        tie = ties[self.world.brand.tie_rule]
        return sorted(
            (-(row.milli_points if board.days else row.score_log), tie(row), row.reached_at, row.advocate_id)
            for row in self.session.execute(named.where(Standing.board_id == board.id))
            if row.score_log is not None
        )

    def living_entries(self) -> list[PointsEntry]:
        taken_back = sa.select(PointsEntry.reverses_id).where(PointsEntry.reverses_id.is_not(None))
        brand_id = self.world.brand.id
        living = sa.select(PointsEntry).where(PointsEntry.brand_id == brand_id, PointsEntry.id.not_in(taken_back))
        return list(
            self.session.scalars(living.where(PointsEntry.milli_points >= 0, PointsEntry.reverses_id.is_(None)))
        )

    def a_window_is_the_sum_of_its_days(self) -> None:
        today = clock.now().date()
        for days in WINDOWS:
            expected: Counter[int] = Counter()
            for entry in self.living_entries():
                if entry.is_reward_eligible and entry.occurred_at.date() > today - timedelta(days=days):
                    expected[entry.advocate_id] += self.weight_of(entry)
            mine = sa.select(Standing.advocate_id, Standing.milli_points).join(Board)
            mine = mine.where(
                Board.scoring_id == shown_id(self.world.brand.id), Board.days == days, Standing.milli_points > 0
            )
            assert dict(self.session.execute(mine).all()) == dict(+expected)

    def weight_of(self, entry: PointsEntry) -> int:
        return int(self.world.brand.weights[COUNTS_AS.get(entry.cause, entry.cause)])

    def the_order_is_that_of_the_formula(self) -> None:
        """sum(weight * 2^-(age in half-lives)), tomorrow and in a hundred days; what is stored is worth just that."""
        brand = self.world.brand
        counted = [entry for entry in self.living_entries() if entry.is_reward_eligible]
        whole = Board.scoring_id == shown_id(brand.id), Board.kind == "brand", Board.days == 0
        ranked = sa.select(Standing.advocate_id).join(Board).where(*whole)
        by_log = ranked.where(Standing.score_log.is_not(None)).order_by(Standing.score_log.desc())
        stored: dict[int, float] = dict(self.session.execute(by_log.add_columns(Standing.score_log)).all())
        order = list(stored)
        for days in (1, 100):
            worth = dict.fromkeys(order, 0.0)
            later, days_each = NOON + timedelta(days=days), brand.half_life_days
            for entry in counted:
                if weight := self.weight_of(entry):
                    worth[entry.advocate_id] += worth_now(weight, entry.occurred_at, later, days_each)
            worths = {who: score_at(log, later, days_each) for who, log in stored.items()}
            assert worth == pytest.approx(worths, rel=1e-6)
            self.happened["standings compared with the formula"] += bool(worth)
            assert all(worth[better] >= worth[worse] * (1 - 1e-9) > 0 for better, worse in pairwise(order))


def test_any_course_of_events_gives_what_a_rebuild_gives_and_ranks_as_a_naive_sort(
    world: World, noon: time_machine.Traveller
) -> None:
    happened: Counter[str] = Counter()

    class Here(Course):
        session = world.session
        traveller = noon

    Here.happened = happened

    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    bounded = settings(max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=slow)
    run_state_machine_as_test(Here, settings=bounded)
    never = {
        "refund", "weights", "erased", "standings compared with the formula",
        *(f"check {verdict}" for verdict in fraud.VERDICTS),
        *(f"{what}={yes}" for what in ("appeal is_accepted", "judged again is_person") for yes in (True, False)),
    } - {what for what, n in happened.items() if n}  # fmt: skip
    assert never == set()
