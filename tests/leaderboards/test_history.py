"""Past boards beside what they would be today: who moved, by how much, and why."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine

from amplify.brands.policy import change_policy
from amplify.core.errors import Invalid
from amplify.core.events import publish
from amplify.customers.services import erase
from amplify.leaderboards import appeals, history
from amplify.leaderboards.history import Change, difference
from amplify.leaderboards.models import PointsEntry, Snapshot, SnapshotRow
from amplify.leaderboards.services import chosen, freeze
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.events import ClicksReclassified
from amplify.tracking.models import Click
from tests.client import Client
from tests.fraud.scene import catch_up, visits
from tests.leaderboards.scene import advocates_with, make_all
from tests.leaderboards.test_services import convert, refund
from tests.tracking.world import FACEBOOK, NOON, World, click, make_world
from tests.world import a_user

ALL: dict[str, Any] = {"kind": "top_percent", "value": 100}
LATER = timedelta(days=3)


@pytest.fixture
def four(world: World) -> list[Advocate]:
    """Four advocates with 5, 4, 3 and 2 visits."""
    return advocates_with(world, 5, 4, 3, 2)


def freeze_now(world: World, audience: dict[str, Any] = ALL) -> Snapshot:
    world.campaign.state, world.campaign.occurrence = "live", world.campaign.occurrence + 1
    return freeze(world.session, world.campaign, audience, NOON)


def changes(world: World, snapshot: Snapshot) -> dict[int, Change]:
    world.session.expire_all()
    return {one.advocate_id: one for one in difference(world.session, snapshot).changes}


def link_of(world: World, advocate: Advocate) -> ShareLink:
    return world.session.scalars(sa.select(ShareLink).where(ShareLink.advocate_id == advocate.id)).one()


def clicks_of(world: World, advocate: Advocate) -> list[Click]:
    mine = sa.select(Click).where(Click.link_id == link_of(world, advocate).id)
    return list(world.session.scalars(mine.order_by(Click.id)))


def lose(world: World, advocate: Advocate, n: int) -> None:
    """So many of their visits turn out to be no person's."""
    lost = [(one, link_of(world, advocate)) for one in clicks_of(world, advocate)[:n]]
    publish(world.session, ClicksReclassified([], lost))
    catch_up(world)


def test_nothing_that_happens_later_changes_a_past_board(
    world: World, four: list[Advocate], noon: time_machine.Traveller
) -> None:
    snapshot = freeze_now(world)
    noon.shift(LATER)
    visits(world, link_of(world, four[3]), 9, ago=-LATER, first=100)
    catch_up(world)
    found = difference(world.session, snapshot)
    assert (found.changes, found.chosen, found.has_other_rules) == ([], 4, False)


def test_who_loses_visits_falls_and_those_behind_move_up(
    world: World, four: list[Advocate], noon: time_machine.Traveller
) -> None:
    snapshot = freeze_now(world)
    noon.shift(LATER)
    lose(world, four[0], 4)
    found = changes(world, snapshot)
    first = found[four[0].id]
    assert (first.before, first.after, first.move, first.causes) == (1, 4, -3, ("reclassified",))
    assert first.score_before == pytest.approx(5, abs=0.1)
    assert first.score_after == pytest.approx(1, abs=0.1)
    assert [found[one.id].causes for one in four[1:]] == [("others",)] * 3
    assert [found[one.id].move for one in four[1:]] == [1, 1, 1]
    assert difference(world.session, snapshot).changes[0].advocate_id == four[0].id
    # The frozen rows are what they were.
    ranks = world.session.scalars(sa.select(SnapshotRow.advocate_id).order_by(SnapshotRow.rank))
    assert list(ranks) == [one.id for one in four]


def test_a_refund_an_appeal_and_a_check_are_told_apart(
    world: World, four: list[Advocate], noon: time_machine.Traveller
) -> None:
    order = convert(world, link_of(world, four[0]), "A")
    machine = click(world, link_of(world, four[1]), visitor=50, agent=FACEBOOK)
    catch_up(world)
    snapshot = freeze_now(world)
    noon.shift(LATER)
    refund(world, order, link_of(world, four[0]))
    told = appeals.appeal(world.session, four[1], f"click:{machine.id}", "A friend.")
    appeals.answer(world.session, told, is_accepted=True, actor="user:1", reason="Yes.")
    visits(world, link_of(world, four[2]), 40, ago=timedelta(hours=5), first=100)
    catch_up(world)
    change_policy(world.session, world.brand, {"risk_hold": 1})
    catch_up(world)
    found = changes(world, snapshot)
    assert found[four[0].id].causes == ("refund",)
    assert found[four[1].id].causes == ("appeal",)
    assert set(found[four[2].id].causes) >= {"fraud"}


def test_what_came_in_late_counts_where_it_happened(
    world: World, four: list[Advocate], noon: time_machine.Traveller
) -> None:
    late = world.link(world.advocate("Late Lynx 9"))
    snapshot = freeze_now(world, {"kind": "top_n", "value": 2})
    noon.shift(LATER)
    for visitor in range(200, 206):
        click(world, late, visitor=visitor, later=-timedelta(hours=1))
    catch_up(world)
    found = changes(world, snapshot)
    newcomer = found.pop(late.advocate_id)
    assert (newcomer.before, newcomer.after, newcomer.score_before, newcomer.causes) == (None, 1, None, ("late",))
    assert {who: one.after for who, one in found.items()} == {four[0].id: 2, four[1].id: 3}


def test_other_weights_are_a_cause_of_their_own(
    world: World, four: list[Advocate], noon: time_machine.Traveller
) -> None:
    convert(world, link_of(world, four[3]), "B")
    catch_up(world)
    snapshot = freeze_now(world)
    assert (snapshot.half_life_days, snapshot.weights["conversion"]) == (30, 20_000)
    change_policy(world.session, world.brand, {"weights": {"conversion": 0}})
    make_all(world.session)
    found = changes(world, snapshot)
    assert (found[four[3].id].before, found[four[3].id].after) == (1, 4)
    assert {one.causes for one in found.values()} == {("rules",)}


def test_who_was_erased_is_said_to_be_and_keeps_the_place(
    world: World, four: list[Advocate], noon: time_machine.Traveller
) -> None:
    snapshot = freeze_now(world)
    noon.shift(LATER)
    assert four[1].customer is not None
    erase(world.session, four[1].customer, "test")
    found = changes(world, snapshot)
    assert {who: (one.move, one.causes) for who, one in found.items()} == {four[1].id: (0, ("erased",))}


@pytest.mark.parametrize("rule", ["earliest", "conversions", "pseudonym"])
@pytest.mark.parametrize("audience", [ALL, {"kind": "tier", "value": 3}, {"kind": "min_score", "value": 1.5}])
def test_an_untouched_ledger_gives_the_same_board_by_every_rule(
    world: World, rule: str, audience: dict[str, Any]
) -> None:
    world.brand.tie_rule = rule
    made = [world.link(world.advocate(name)) for name in ("Zeta 1", "Éclair 2", "alpha 3", "Beta 4", "Gamma 5")]
    for turn, link in enumerate([*made, *reversed(made)]):
        click(world, link, visitor=turn, later=-timedelta(hours=turn % 2, microseconds=turn % 2))
    convert(world, made[2], "C", NOON - timedelta(hours=2))
    catch_up(world)
    before = [one.advocate_id for one in chosen(world.session, world.brand.id, audience, NOON)]
    assert before
    assert difference(world.session, freeze_now(world, audience)).changes == []


def test_a_ledger_too_large_is_refused(world: World, four: list[Advocate], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 3)
    with pytest.raises(Invalid):
        difference(world.session, freeze_now(world))


def test_staff_open_a_past_board_as_a_page_and_as_a_file(world: World, four: list[Advocate], client: Client) -> None:
    snapshot = freeze_now(world)
    client.sign_in(a_user(world.session, world.brand, "brand"))
    path = f"/console/leaderboard/past/{snapshot.id}"
    assert "Nobody would stand elsewhere" in client.get(path).text
    lose(world, four[0], 4)
    assert path in client.get("/console/leaderboard/past").text
    page = client.get(path).text
    assert four[0].pseudonym in page
    assert "Visits were judged again" in page
    assert "Real Name" not in page
    rows = list(csv.reader(io.StringIO(client.get(f"{path}.csv").text.lstrip("\ufeff"))))
    assert rows[1][:4] == [four[0].pseudonym, "1", "4", "-3"]
    client.sign_in(a_user(world.session, make_world(world.session, "other").brand, "admin"))
    assert client.get(path).status_code == 404
    assert "Spring" not in client.get("/console/leaderboard/past").text


def test_entries_know_their_place_in_the_ledger(world: World, four: list[Advocate]) -> None:
    snapshot = freeze_now(world)
    assert snapshot.position == world.session.scalar(sa.select(sa.func.max(PointsEntry.id)))
