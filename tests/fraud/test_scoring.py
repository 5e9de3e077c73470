"""Scores: which rules speak, that their points add up, and that they are the same whenever they are made."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from amplify.core.errors import Conflict
from amplify.fraud.models import RiskHour, RiskMailbox
from amplify.fraud.rules import RULES, RULES_VERSION, weigh
from amplify.fraud.scoring import assess, touch_all
from amplify.tracking.conversions import record_conversion
from amplify.tracking.models import Conversion
from amplify.tracking.schemas import ConversionIn
from tests.fraud.scene import buy, cases, catch_up, mail_of, rules_of, visits, waiting
from tests.tracking.world import NOON, World, click

DAY = NOON.date().isoformat()


def test_a_usual_advocate_has_no_case(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    visits(world, link, 5)
    buy(world, link, "friend@example.org")
    catch_up(world)
    assert cases(world) == {}
    assert waiting(world) == 0


def test_points_begin_at_the_threshold_and_grow_with_each_doubling_up_to_the_most() -> None:
    rule = RULES["day-rush"]
    assert weigh("day-rush", rule.threshold - 1) is None
    found = [weigh("day-rush", rule.threshold * times) for times in (1, 2, 3, 4, 1024)]
    assert [reason.points for reason in found if reason] == [45, 50, 50, 55, 75]
    assert weigh("day-rush", 100, norm=30) is None
    assert [reason.threshold for reason in (weigh("day-rush", 150, norm=30),) if reason] == [150]


def test_many_visits_in_an_hour_and_on_a_day_are_said_with_count_and_threshold(world: World) -> None:
    advocate = world.advocate()
    visits(world, world.link(advocate), 40)
    catch_up(world)
    found = cases(world, advocate)
    assert set(found) == {f"day:{advocate.id}:{DAY}", f"advocate:{advocate.id}"}
    day, whole = found[f"day:{advocate.id}:{DAY}"], found[f"advocate:{advocate.id}"]
    assert (day.score, day.state) == (45, "held")
    (reason,) = day.reasons
    assert (reason["rule"], reason["count"], reason["threshold"]) == ("day-rush", 40, 25)
    # Visits alone never hold the whole person: anybody could send them to a rival.
    assert (rules_of(whole), whole.state) == ({"click-rush"}, "clear")


def test_what_is_much_depends_on_the_brand(world: World) -> None:
    for _ in range(45):
        visits(world, world.link(world.advocate()), 12, ago=timedelta(days=2))
    busy = world.advocate()
    visits(world, world.link(busy), 40)
    catch_up(world)
    assert f"day:{busy.id}:{DAY}" not in cases(world)


@pytest.mark.parametrize("spelling", ["same", "upper", "tagged"])
def test_an_order_by_the_advocates_own_mailbox_is_held_however_it_is_spelt(world: World, spelling: str) -> None:
    advocate = world.advocate()
    assert advocate.customer is not None
    advocate.customer.email = "ana.lopez@gmail.com"
    world.session.flush()
    spelt = {"same": "ana.lopez@gmail.com", "upper": "Ana.Lopez@GMAIL.com", "tagged": "analopez+shop@googlemail.com"}
    order = buy(world, world.link(advocate), spelt[spelling])
    catch_up(world)
    case = cases(world, advocate)[f"order:{order.id}"]
    assert (rules_of(case), case.state) == ({"own-mailbox"}, "held")
    assert rules_of(cases(world, advocate)[f"advocate:{advocate.id}"]) == {"own-orders"}


def test_an_order_by_the_advocates_own_visitor_key_is_held(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    click(world, link, visitor=7, is_own=True)
    order = buy(world, world.link(advocate, "email"), visitor=7)
    catch_up(world)
    assert rules_of(cases(world, advocate)[f"order:{order.id}"]) == {"own-visitor"}


def test_an_order_claimed_for_two_advocates_is_refused_once_and_noted_for_both(world: World) -> None:
    first, second = world.advocate(), world.advocate()
    order = buy(world, world.link(first))
    other = click(world, world.link(second), visitor=9)
    again = ConversionIn(
        order_id=order.order_id, amount_minor=1000, currency="EUR", occurred_at=NOON, click_id=other.token
    )
    for _ in range(2):
        with pytest.raises(Conflict):
            record_conversion(world.session, world.brand.id, again, window_days=90)
    catch_up(world)
    assert rules_of(cases(world, first)[f"order:{order.id}"]) == {"claimed"}
    assert [rules_of(cases(world, one)[f"advocate:{one.id}"]) for one in (first, second)] == [{"claimed-orders"}] * 2


def test_mailboxes_for_minutes_are_a_reason_also_those_the_brand_names(world: World) -> None:
    world.brand.disposable_domains = ["minutes.example"]
    advocate = world.advocate()
    assert advocate.customer is not None
    advocate.customer.email = "x@sub.mailinator.com"
    order = buy(world, world.link(advocate), "y@minutes.example")
    catch_up(world)
    assert rules_of(cases(world, advocate)[f"advocate:{advocate.id}"]) == {"disposable-mail"}
    assert rules_of(cases(world, advocate)[f"order:{order.id}"]) == {"disposable-buyer"}


def test_three_accounts_on_one_device_are_noticed_for_each_of_them(world: World) -> None:
    advocates = [world.advocate() for _ in range(3)]
    for number, advocate in enumerate(advocates):
        link = world.link(advocate)
        click(world, link, visitor=5, is_own=True)
        click(world, link, visitor=20 + number)
        catch_up(world)
    for advocate in advocates:
        assert rules_of(cases(world, advocate)[f"advocate:{advocate.id}"]) == {"many-accounts"}


def test_orders_mostly_by_one_visitor_are_noticed_from_four_on(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    for n in range(3):
        buy(world, link, "same@example.org", ago=timedelta(days=n))
    catch_up(world)
    assert cases(world) == {}
    buy(world, link, "same@example.org", ago=timedelta(days=9))
    catch_up(world)
    assert "one-visitor" in rules_of(cases(world, advocate)[f"advocate:{advocate.id}"])


def test_four_orders_in_an_hour_are_a_rush(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    orders = [buy(world, link, f"b{n}@example.org") for n in range(4)]
    catch_up(world)
    found = cases(world, advocate)
    assert rules_of(found[f"advocate:{advocate.id}"]) == {"order-rush"}
    assert all(rules_of(found[f"order:{order.id}"]) == {"rush"} for order in orders)


def test_every_score_is_the_sum_of_its_reasons_and_names_its_rules_version(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    visits(world, link, 30)
    for _ in range(4):
        buy(world, link, mail_of(advocate))
    catch_up(world)
    for case in cases(world).values():
        assert case.score == min(100, sum(reason["points"] for reason in case.reasons))
        assert case.rules_version == RULES_VERSION


def test_scores_are_the_same_in_whatever_batches_and_when_made_again(world: World) -> None:
    advocates = [world.advocate() for _ in range(3)]
    for number, advocate in enumerate(advocates):
        link = world.link(advocate)
        visits(world, link, 10 + 20 * number, first=1 + 60 * number)
        buy(world, link, mail_of(advocates[number - 1]))
    catch_up(world, limit=3)
    before = {subject: (case.score, case.reasons, case.state) for subject, case in cases(world).items()}
    assert before
    assert touch_all(world.session, world.brand.id) == 3
    assert assess(world.session, 500) == 3
    assert {subject: (case.score, case.reasons, case.state) for subject, case in cases(world).items()} == before


def test_hours_are_the_counts_of_human_clicks_and_orders(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    visits(world, link, 3)
    click(world, link, visitor=1)
    visits(world, link, 2, ago=timedelta(hours=2), first=40)
    buy(world, link)
    catch_up(world, limit=2)
    found = world.session.execute(sa.select(RiskHour.hour, RiskHour.clicks, RiskHour.orders).order_by(RiskHour.hour))
    assert [tuple(row) for row in found] == [(NOON - timedelta(hours=2), 2, 0), (NOON, 4, 1)]


def test_no_address_is_stored_of_a_buyer_or_in_a_score(world: World) -> None:
    advocate = world.advocate()
    buy(world, world.link(advocate), "canary@example.org")
    catch_up(world)
    tables = Conversion.__table__, RiskMailbox.__table__
    stored = [world.session.execute(sa.select(*table.c)).all() for table in tables]
    assert "canary" not in repr(stored)
    assert mail_of(advocate) not in repr(stored)
