"""A single visit or purchase that was judged wrongly: told by the person, decided by staff, put right by an entry."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from amplify.accounts.models import AuditEntry
from amplify.brands.policy import change_policy
from amplify.core.errors import Conflict, Invalid, NotFound, TooMany
from amplify.core.events import publish
from amplify.customers.services import erase
from amplify.leaderboards import appeals, services
from amplify.leaderboards.explain import why
from amplify.leaderboards.models import EntryAppeal, PointsEntry
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.conversions import record_conversion, record_refund
from amplify.tracking.events import ClicksReclassified
from amplify.tracking.models import Click, ClickVerdict
from amplify.tracking.schemas import ConversionIn, RefundIn
from tests.client import Client
from tests.fraud.scene import catch_up, visits
from tests.leaderboards.scene import make_all
from tests.leaderboards.test_pages import board_path
from tests.leaderboards.test_services import all_standings, standing
from tests.tracking.world import FACEBOOK, NOON, World, click, make_world
from tests.world import a_user

Told = Callable[..., EntryAppeal]


@pytest.fixture
def anna(world: World) -> Advocate:
    return world.advocate("Quiet Otter 3")


@pytest.fixture
def link(world: World, anna: Advocate) -> ShareLink:
    return world.link(anna)


@pytest.fixture
def machine(world: World, link: ShareLink) -> Click:
    """A visit that was taken for a machine's, after one that counts."""
    click(world, link, visitor=1)
    found = click(world, link, visitor=2, agent=FACEBOOK)
    catch_up(world)
    return found


def agree(world: World, told: EntryAppeal, is_accepted: bool = True) -> None:
    appeals.answer(world.session, told, is_accepted=is_accepted, actor="user:1", reason="We looked.")
    catch_up(world)


def about(world: World, anna: Advocate, click: Click) -> EntryAppeal:
    return appeals.appeal(world.session, anna, f"click:{click.id}", "This was my friend, not a machine.")


def entries(world: World, anna: Advocate) -> list[tuple[str, str, int]]:
    columns = PointsEntry.cause, PointsEntry.cause_key, PointsEntry.milli_points
    mine = sa.select(*columns).where(PointsEntry.advocate_id == anna.id).order_by(PointsEntry.id)
    return [tuple(row) for row in world.session.execute(mine)]  # type: ignore[misc]  # the caller knows the columns


def judged(world: World, link: ShareLink, click: Click, *, is_person: bool) -> None:
    """What a reclassification tells."""
    pair = [(click, link)]
    publish(world.session, ClicksReclassified(pair if is_person else [], [] if is_person else pair))
    catch_up(world)


def test_an_accepted_visit_counts_at_its_own_time_and_as_a_visit(world: World, anna: Advocate, machine: Click) -> None:
    agree(world, about(world, anna, machine))
    assert entries(world, anna)[1:] == [("appealed_click", f"click:{machine.id}", 1000)]
    mine = standing(world, anna.id)
    assert (mine.milli_points, mine.human_clicks) == (2000, 2)
    assert why(world.session, anna, NOON).score_hundredths == 200
    before = all_standings(world.session)
    services.rebuild(world.session, world.brand.id)
    assert all_standings(world.session) == before


def test_a_rejected_one_changes_nothing_and_says_why(
    world: World, anna: Advocate, machine: Click, client: Client
) -> None:
    told = about(world, anna, machine)
    agree(world, told, is_accepted=False)
    assert len(entries(world, anna)) == 1
    with pytest.raises(Conflict):
        about(world, anna, machine)
    page = client.get(f"{board_path(world, client, anna)}/why").text
    assert "We looked." in page
    assert "It stays as it is" in page


def test_a_decision_is_made_once(world: World, anna: Advocate, machine: Click) -> None:
    told = about(world, anna, machine)
    with pytest.raises(Conflict):
        about(world, anna, machine)
    agree(world, told)
    with pytest.raises(Conflict):
        agree(world, told)
    with pytest.raises(Conflict):
        about(world, anna, machine)
    assert standing(world, anna.id).human_clicks == 2


@pytest.mark.parametrize("course", [[True], [True, False], [False], [False, True], [True, False, True]])
def test_a_reclassification_afterwards_neither_undoes_nor_doubles_a_decision(
    world: World, anna: Advocate, link: ShareLink, machine: Click, course: list[bool]
) -> None:
    agree(world, about(world, anna, machine))
    for is_person in course:
        judged(world, link, machine, is_person=is_person)
        assert standing(world, anna.id).human_clicks == 2


def test_what_was_judged_a_persons_meanwhile_stays_so_once_staff_agree(
    world: World, anna: Advocate, link: ShareLink, machine: Click
) -> None:
    told = about(world, anna, machine)
    judged(world, link, machine, is_person=True)
    agree(world, told)
    judged(world, link, machine, is_person=False)
    assert standing(world, anna.id).human_clicks == 2
    assert [cause for cause, *_ in entries(world, anna)] == ["human_click", "human_click"]


def test_a_visit_that_counts_can_be_given_back_for_good(world: World, anna: Advocate, link: ShareLink) -> None:
    own = click(world, link, visitor=1)
    catch_up(world)
    told = about(world, anna, own)
    assert not told.wants_counted
    agree(world, told)
    for is_person in (False, True):
        judged(world, link, own, is_person=is_person)
    assert standing(world, anna.id).human_clicks == 0
    assert entries(world, anna)[1:] == [("appeal", f"click:{own.id}", -1000)]


def test_a_held_visit_counts_alone_and_not_again_when_the_hold_ends(
    world: World, anna: Advocate, link: ShareLink
) -> None:
    visits(world, link, 30)
    catch_up(world)
    assert standing(world, anna.id).human_clicks == 0
    (one,) = world.session.scalars(sa.select(Click).order_by(Click.id.desc()).limit(1))
    agree(world, about(world, anna, one))
    assert standing(world, anna.id).human_clicks == 1
    change_policy(world.session, world.brand, {"risk_hold": 99, "risk_refuse": 100})
    catch_up(world)
    assert standing(world, anna.id).human_clicks == 30
    change_policy(world.session, world.brand, {"risk_hold": 40, "risk_refuse": 80})
    catch_up(world)
    assert standing(world, anna.id).human_clicks == 1


def test_an_order_outside_the_window_counts_until_it_is_refunded(world: World, anna: Advocate, link: ShareLink) -> None:
    visit = click(world, link, later=-timedelta(days=40))
    catch_up(world)
    told = {"order_id": "O1", "amount_minor": 900, "currency": "EUR", "click_id": visit.token, "occurred_at": NOON}
    order, _new = record_conversion(world.session, world.brand.id, ConversionIn.model_validate(told), window_days=30)
    assert order.attribution == "outside-window"
    agree(world, appeals.appeal(world.session, anna, f"conversion:{order.id}", "They only had to think it over."))
    assert standing(world, anna.id).conversions == 1
    back = {"refund_id": "R1", "order_id": "O1", "amount_minor": 900, "currency": "EUR", "occurred_at": NOON}
    record_refund(world.session, world.brand.id, RefundIn.model_validate(back))
    catch_up(world)
    assert standing(world, anna.id).conversions == 0


def test_new_weights_hold_for_what_was_restored_too(world: World, anna: Advocate, machine: Click) -> None:
    agree(world, about(world, anna, machine))
    change_policy(world.session, world.brand, {"weights": {"human_click": 3000}})
    make_all(world.session)
    assert standing(world, anna.id).milli_points == 6000


def test_nobody_appeals_for_others_or_about_nothing(world: World, anna: Advocate, machine: Click) -> None:
    foreign = make_world(world.session, "other")
    for who in (world.advocate(), foreign.advocate()):
        with pytest.raises(NotFound):
            about(world, who, machine)
    for subject in ("click:0", "click:99999999", "share:1", "click:", "click:1:2", "click:" + "9" * 30, "conversion:4"):
        with pytest.raises(NotFound):
            appeals.appeal(world.session, anna, subject, "Mine.")
    for text in (" ", "x" * 1001):
        with pytest.raises(Invalid):
            appeals.appeal(world.session, anna, f"click:{machine.id}", text)
    told = about(world, anna, machine)
    with pytest.raises(NotFound):
        appeals.appeal_of(world.session, foreign.brand.id, told.id)


def test_a_person_tells_so_many_things_a_day(
    world: World, anna: Advocate, link: ShareLink, noon: time_machine.Traveller
) -> None:
    found = [click(world, link, visitor=visitor, agent=FACEBOOK) for visitor in range(appeals.MOST + 1)]
    catch_up(world)
    for one in found[:-1]:
        about(world, anna, one)
    with pytest.raises(TooMany):
        about(world, anna, found[-1])
    noon.shift(timedelta(days=1))
    assert about(world, anna, found[-1]).outcome == "open"


def test_what_was_judged_is_kept_when_the_raw_visit_is_gone(world: World, anna: Advocate, machine: Click) -> None:
    told = about(world, anna, machine)
    for model, key in ((ClickVerdict, ClickVerdict.click_id), (Click, Click.id)):
        world.session.execute(sa.delete(model).where(key == machine.id))
    agree(world, told)
    assert standing(world, anna.id).human_clicks == 2


def test_a_person_finds_the_visit_and_tells_us(world: World, anna: Advocate, machine: Click, client: Client) -> None:
    path = f"{board_path(world, client, anna)}/why"
    assert "verdict=preview" in client.get(path).text
    listed = client.get(f"{path}/list?what=click&verdict=preview").text
    assert f"/why/click:{machine.id}" in listed
    page = f"{path}/click:{machine.id}"
    assert "Nobody read it yet" in client.get(page).text
    assert client.post_form(page, {"text": " "}).status_code == 422
    assert client.post_form(page, {"text": "Ana, really."}).status_code == 303
    assert client.post_form(page, {"text": "Ana, again."}).status_code == 409
    assert "Ana, really." in client.get(path).text
    assert client.get(f"{path}/click:{machine.id + 1000}").status_code == 404
    assert client.get(f"{path}/list?what=nothing").status_code == 422
    other = world.advocate()
    world.link(other)
    assert client.get(f"{board_path(world, client, other)}/why/click:{machine.id}").status_code == 404


def test_staff_read_the_evidence_and_only_admins_answer(
    world: World, anna: Advocate, machine: Click, client: Client
) -> None:
    told = about(world, anna, machine)
    page = f"/console/appeals/{told.id}"
    client.sign_in(a_user(world.session, world.brand, "brand"))
    shown = client.get(page).text
    assert all(said in shown for said in ("facebookexternalhit", "This was my friend", "Link preview"))
    assert "Real Name" not in shown
    assert client.post_form(page, {"outcome": "accepted", "reason": "Yes."}).status_code == 403
    client.sign_in(a_user(world.session, world.brand, "admin"))
    assert "1 appeal to answer" in client.get("/console").text
    assert client.post_form(page, {"outcome": "accepted", "reason": " "}).status_code == 422
    assert client.post_form(page, {"outcome": "accepted", "reason": "She told us."}).status_code == 303
    assert client.post_form(page, {"outcome": "accepted", "reason": "Twice."}).status_code == 409
    logged = world.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert logged is not None
    assert (logged.action, logged.detail["reason"]) == ("appeal.accepted", "She told us.")
    rows = list(csv.reader(io.StringIO(client.get("/console/appeals.csv?show=all").text.lstrip("\ufeff"))))
    assert rows[1][1:4] == ["Quiet Otter 3", f"click:{machine.id}", "It should count"]
    assert "Quiet Otter 3" not in client.get("/console/appeals").text
    catch_up(world)
    explained = client.get(f"/console/advocates/{anna.id}/why").text
    assert "number 1 of " in explained
    assert "it counts since you told us" in explained
    assert "She told us." in explained
    assert "click:" in client.get(f"/console/advocates/{anna.id}/why.csv").text


def test_an_appeal_of_another_brand_is_not_there(world: World, anna: Advocate, machine: Click, client: Client) -> None:
    told = about(world, anna, machine)
    client.sign_in(a_user(world.session, make_world(world.session, "other").brand, "admin"))
    assert client.get(f"/console/appeals/{told.id}").status_code == 404
    assert client.post_form(f"/console/appeals/{told.id}", {"outcome": "accepted", "reason": "x"}).status_code == 404
    assert client.get(f"/console/advocates/{anna.id}/why").status_code == 404
    assert "Quiet Otter" not in client.get("/console/appeals?show=all").text


def test_who_is_erased_leaves_no_words_behind(world: World, anna: Advocate, machine: Click) -> None:
    told = about(world, anna, machine)
    agree(world, told)
    assert anna.customer is not None
    erase(world.session, anna.customer, "test")
    world.session.refresh(told)
    assert (told.text, told.reason, told.outcome) == ("", "", "accepted")
    assert standing(world, anna.id).human_clicks == 2
