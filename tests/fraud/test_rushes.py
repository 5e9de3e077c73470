"""Of a rush only what is too much waits: its links, its hours, beyond what is usual there."""

from datetime import timedelta

from amplify.fraud.rushes import Rush, rushes_of
from tests.fraud.scene import buy, cases, catch_up, mail_of, visits
from tests.fraud.test_holds import decide, milli
from tests.tracking.world import NOON, World, click

DAY, BEGIN = "1970-02-20", 50 * 24


def spread(per_day: int, *, days: int = 28) -> dict[int, int]:
    """So many clicks on each of the days before DAY, at noon."""
    return {BEGIN - 24 * ago + 12: per_day for ago in range(1, days + 1)}


def test_a_rush_begins_with_the_hour_before_it_and_ends_with_the_hour_after() -> None:
    hours = {BEGIN + 1: 1, BEGIN + 9: 200, BEGIN + 10: 200, BEGIN + 20: 2}
    assert rushes_of({7: hours}, DAY, [DAY], 25) == [Rush(7, BEGIN + 8, BEGIN + 11, 0)]


def test_what_is_usual_for_the_link_in_so_many_hours_counts() -> None:
    hours = spread(12) | {BEGIN + hour: 50 for hour in range(12)}
    assert rushes_of({7: hours}, DAY, [DAY], 25) == [Rush(7, BEGIN, BEGIN + 12, 6)]


def test_earlier_rushes_say_nothing_of_what_is_usual() -> None:
    before = "1970-02-19"
    hours = spread(4) | {BEGIN - 12: 5_000} | {BEGIN + hour: 50 for hour in range(24)}
    assert [rush.keeps for rush in rushes_of({7: hours}, DAY, [before, DAY], 25)] == [4]


def test_one_good_day_of_a_young_link_is_no_habit() -> None:
    hours = {BEGIN - 12: 21} | {BEGIN + hour: 50 for hour in range(24)}
    assert [rush.keeps for rush in rushes_of({7: hours}, DAY, [DAY], 25)] == [3]


def test_other_links_are_left_alone_unless_they_make_a_rush_together() -> None:
    loud, quiet = {BEGIN + 9: 100}, {BEGIN + 9: 2}
    assert [one.link_id for one in rushes_of({1: loud, 2: quiet, 3: quiet}, DAY, [DAY], 25)] == [1]
    many = {1: loud} | dict.fromkeys(range(2, 20), quiet)
    assert len(rushes_of(many, DAY, [DAY], 25)) == 19


def test_a_rush_sent_to_one_link_leaves_what_friends_bring_by_another_and_what_came_before(world: World) -> None:
    advocate = world.advocate()
    open_to_all, for_friends = world.link(advocate, "x"), world.link(advocate, "whatsapp")
    visits(world, open_to_all, 2, ago=timedelta(hours=9))
    visits(world, for_friends, 1, first=50)
    visits(world, open_to_all, 300, first=100)
    catch_up(world)
    assert milli(world, advocate) == 3_000
    visits(world, for_friends, 1, first=60)
    catch_up(world)
    assert milli(world, advocate) == 4_000
    decide(world, cases(world)[f"day:{advocate.id}:{NOON.date()}"], "accepted")
    assert milli(world, advocate) == 304_000


def test_a_visitor_who_bought_something_that_counts_is_no_part_of_a_rush(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    visits(world, link, 40, first=100)
    buy(world, link, "friend@example.org")
    buy(world, link, mail_of(advocate))  # their own: held, and so is the visit
    catch_up(world)
    assert milli(world, advocate) == 21_000


def test_visits_sent_to_a_rival_never_hold_the_rival_whatever_else_is_known_of_them(world: World) -> None:
    rival, friend = world.advocate(), world.advocate()
    assert rival.customer is not None
    rival.customer.email = "x@mailinator.com"
    link, theirs = world.link(rival), world.link(friend)
    buy(world, link, mail_of(friend))
    buy(world, theirs, mail_of(rival))
    catch_up(world)
    before = cases(world, rival)[f"advocate:{rival.id}"].score
    visits(world, link, 1_000, first=1_000)
    catch_up(world)
    whole = cases(world, rival)[f"advocate:{rival.id}"]
    assert (whole.score, whole.state) == (before, "clear")
    assert milli(world, rival) == 21_000


def test_a_click_on_no_known_rush_counts(world: World) -> None:
    advocate = world.advocate()
    link = world.link(advocate)
    visits(world, link, 30, ago=timedelta(days=1))
    click(world, link, visitor=200)
    catch_up(world)
    assert milli(world, advocate) == 1_000
