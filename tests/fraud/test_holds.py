"""What is held or refused stays out of the points that rewards hang on, and comes back by a decision."""

from datetime import timedelta

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amplify.brands.policy import change_policy
from amplify.core import clock
from amplify.core.events import publish
from amplify.fraud import services
from amplify.fraud.models import RiskCase
from amplify.leaderboards.explain import why
from amplify.leaderboards.models import PointsEntry
from amplify.leaderboards.services import rebuild
from amplify.sharing.models import Advocate
from amplify.tracking.events import ClicksReclassified
from amplify.tracking.models import Click, Conversion
from tests.fraud.scene import buy, cases, catch_up, mail_of, visits
from tests.leaderboards.test_services import all_standings, refund, standing
from tests.tracking.world import NOON, World

DAY = NOON.date().isoformat()


def milli(world: World, advocate: Advocate) -> int:
    """Reward-eligible points as they stand on the board, which add up in the ledger and in the explanation too."""
    on_board = standing(world, advocate.id)
    ledger = sa.select(sa.func.coalesce(sa.func.sum(PointsEntry.milli_points), 0))
    eligible = PointsEntry.advocate_id == advocate.id, PointsEntry.is_reward_eligible
    assert world.session.scalar(ledger.where(*eligible)) == on_board.milli_points
    explained = why(world.session, advocate, clock.now())
    assert sum(line.milli_points for line in explained.counted) == on_board.milli_points
    return on_board.milli_points


def decide(world: World, case: RiskCase, verdict: str) -> None:
    services.decide(world.session, case, verdict, actor="user:1", reason="looked at it")
    catch_up(world)


def test_a_day_with_too_many_visits_counts_for_nothing_until_somebody_decided(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    visits(world, link, 4, ago=timedelta(days=1), first=200)
    visits(world, link, 30)
    catch_up(world)
    assert milli(world, advocate) == 4_000
    visits(world, link, 5, first=90)
    catch_up(world)
    assert milli(world, advocate) == 4_000
    decide(world, cases(world)[f"day:{advocate.id}:{DAY}"], "accepted")
    assert milli(world, advocate) == 39_000
    visits(world, link, 2, first=120)
    catch_up(world)
    assert milli(world, advocate) == 41_000


def test_a_refusal_is_taken_back_by_a_decision_and_made_again_by_another(world: World) -> None:
    advocate = world.advocate()
    order = buy(world, world.link(advocate), mail_of(advocate))
    catch_up(world)
    assert milli(world, advocate) == 1_000
    for verdict, expected in (("refused", 1_000), ("accepted", 21_000), ("refused", 1_000), ("accepted", 21_000)):
        decide(world, cases(world)[f"order:{order.id}"], verdict)
        assert milli(world, advocate) == expected
    causes = [entry.cause for entry in world.session.scalars(sa.select(PointsEntry).order_by(PointsEntry.id))]
    assert causes.count("conversion") == 3
    assert causes.count("set_aside") == 2


def test_over_the_second_threshold_it_is_refused_at_once_and_the_whole_person_waits(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    for n in range(4):
        buy(world, link, mail_of(advocate), ago=timedelta(days=n))
    catch_up(world)
    case = cases(world)[f"advocate:{advocate.id}"]
    assert (case.score, case.state) == (90, "refused")
    assert milli(world, advocate) == 0


def test_an_accepted_case_comes_back_only_when_it_got_much_worse(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    visits(world, link, 25)
    catch_up(world)
    subject = f"day:{advocate.id}:{DAY}"
    decide(world, cases(world)[subject], "accepted")
    visits(world, link, 30, first=60)
    catch_up(world)
    assert cases(world)[subject].state == "accepted"
    visits(world, link, 380, first=300)
    catch_up(world)
    assert (cases(world)[subject].score, cases(world)[subject].state) == (65, "held")
    assert milli(world, advocate) == 0


def test_a_refused_case_stays_refused_whatever_its_score_becomes(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    visits(world, link, 25)
    catch_up(world)
    decide(world, cases(world)[f"day:{advocate.id}:{DAY}"], "refused")
    visits(world, link, 380, first=60)
    catch_up(world)
    assert cases(world)[f"day:{advocate.id}:{DAY}"].state == "refused"
    assert milli(world, advocate) == 0


def test_a_refund_of_a_held_order_is_not_paid_back_twice_nor_let_go_later(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    order = buy(world, link, mail_of(advocate))
    catch_up(world)
    refund(world, order, link)
    catch_up(world)
    assert milli(world, advocate) == 1_000
    decide(world, cases(world)[f"order:{order.id}"], "accepted")
    assert milli(world, advocate) == 1_000


def test_a_refund_after_a_hold_was_let_go_takes_the_points_back_once(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    order = buy(world, link, mail_of(advocate))
    catch_up(world)
    decide(world, cases(world)[f"order:{order.id}"], "accepted")
    assert milli(world, advocate) == 21_000
    refund(world, order, link)
    catch_up(world)
    assert milli(world, advocate) == 1_000


def test_a_held_click_that_is_judged_a_machines_stays_out_and_its_day_may_end_well(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    visits(world, link, 26)
    catch_up(world)
    assert milli(world, advocate) == 0
    lost = world.session.scalars(sa.select(Click).order_by(Click.id).limit(2)).all()
    publish(world.session, ClicksReclassified([], [(click, link) for click in lost]))
    catch_up(world)
    # Twenty-four are left: no rush any more.
    assert cases(world)[f"day:{advocate.id}:{DAY}"].state == "clear"
    assert milli(world, advocate) == 24_000
    publish(world.session, ClicksReclassified([(lost[0], link)], []))
    catch_up(world)
    assert milli(world, advocate) == 0


def test_other_thresholds_hold_and_let_go_at_once(world: World) -> None:
    advocate = world.advocate()
    visits(world, world.link(advocate), 30)
    catch_up(world)
    change_policy(world.session, world.brand, {"risk_hold": 46})
    catch_up(world)
    assert milli(world, advocate) == 30_000
    change_policy(world.session, world.brand, {"risk_hold": 40})
    catch_up(world)
    assert milli(world, advocate) == 0


STEPS = st.lists(
    st.sampled_from(("visits", "own order", "friend's order", "refund", "accept", "refuse", "lost", "gained")),
    min_size=3,
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_in_any_course_ledger_board_and_explanation_agree_and_a_rebuild_changes_nothing(
    world: World, steps: list[str]
) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    orders: list[Conversion] = []
    lost: list[Click] = []
    for number, step in enumerate(steps):
        found = list(cases(world, advocate).values())
        if step == "visits":
            visits(world, link, 14, first=1 + 14 * number)
        elif step.endswith("order"):
            orders.append(buy(world, link, mail_of(advocate) if step == "own order" else f"f{number}@example.org"))
        elif step == "refund" and orders:
            refund(world, orders.pop(0), link)
        elif step in ("accept", "refuse") and found:
            decide(world, found[number % len(found)], f"{step}ed".replace("eed", "ed"))
        elif step == "lost":
            mine = sa.select(Click).where(Click.link_id == link.id, Click.id.not_in([one.id for one in lost]))
            chosen = list(world.session.scalars(mine.order_by(Click.id).limit(3)))
            publish(world.session, ClicksReclassified([], [(one, link) for one in chosen]))
            lost += chosen
        elif step == "gained" and lost:
            publish(world.session, ClicksReclassified([(lost.pop(), link)], []))
        catch_up(world)
    if world.session.scalar(sa.select(sa.func.count(PointsEntry.id)).where(PointsEntry.advocate_id == advocate.id)):
        assert milli(world, advocate) >= 0
    before = all_standings(world.session)
    rebuild(world.session, world.brand.id)
    assert all_standings(world.session) == before
