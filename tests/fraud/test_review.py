"""The review: who may look and decide, one by one and by threshold, and what the person sees and answers."""

import csv
import io
import re

import pytest
import sqlalchemy as sa

from amplify.accounts.models import AuditEntry
from amplify.core.errors import Conflict, Invalid, NotFound
from amplify.fraud import services
from amplify.fraud.models import RiskAppeal, RiskCase, RiskDecision
from amplify.sharing.models import Advocate
from tests.client import Client
from tests.fraud.scene import buy, cases, catch_up, mail_of, visits
from tests.leaderboards.test_pages import board_path
from tests.leaderboards.test_services import standing
from tests.tracking.world import NOON, World, make_world
from tests.world import a_user

DAY = NOON.date().isoformat()


@pytest.fixture
def busy(world: World) -> Advocate:
    """Somebody with a day that is held."""
    advocate = world.advocate("Busy Heron 1")
    visits(world, world.link(advocate), 30)
    catch_up(world)
    return advocate


@pytest.fixture
def admin(world: World, client: Client) -> Client:
    client.sign_in(a_user(world.session, world.brand, "admin"))
    return client


def the_case(world: World, busy: Advocate) -> RiskCase:
    return cases(world)[f"day:{busy.id}:{DAY}"]


def test_the_queue_shows_the_highest_risk_first_with_its_reasons(world: World, busy: Advocate, admin: Client) -> None:
    worse = world.advocate("Own Buyer 2")
    buy(world, world.link(worse), mail_of(worse))
    catch_up(world)
    page = admin.get("/console/fraud").text
    assert page.index("Own Buyer 2") < page.index("Busy Heron 1")
    assert "30 visits on this day; much here is 25" in page
    assert "Bought with the advocate&#39;s own address" in page
    assert "Real Name" not in page
    assert "2 cases to decide" in admin.get("/console").text


def test_the_brand_team_looks_and_does_not_decide(world: World, busy: Advocate, client: Client) -> None:
    client.sign_in(a_user(world.session, world.brand, "brand"))
    case = the_case(world, busy)
    assert client.get(f"/console/fraud/{case.id}").status_code == 200
    assert (
        client.post_form(f"/console/fraud/{case.id}/decide", {"verdict": "accepted", "reason": "x"}).status_code == 403
    )
    assert the_case(world, busy).state == "held"


def test_one_decision_has_an_actor_and_a_reason_in_the_audit_log(world: World, busy: Advocate, admin: Client) -> None:
    path = f"/console/fraud/{the_case(world, busy).id}"
    assert admin.post_form(f"{path}/decide", {"verdict": "accepted", "reason": " "}).status_code == 422
    assert admin.post_form(f"{path}/decide", {"verdict": "maybe", "reason": "x"}).status_code == 422
    assert admin.post_form(f"{path}/decide", {"verdict": "accepted", "reason": "A radio show."}).status_code == 303
    catch_up(world)
    assert standing(world, busy.id).milli_points == 30_000
    entry = world.session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.detail["reason"], entry.detail["score"]) == ("risk.accepted", "A radio show.", 45)
    assert entry.actor.startswith("user:")
    assert "A radio show." in admin.get(path).text


def test_a_case_of_another_brand_is_not_there(world: World, busy: Advocate, client: Client) -> None:
    other = make_world(world.session, "other")
    client.sign_in(a_user(world.session, other.brand, "admin"))
    path = f"/console/fraud/{the_case(world, busy).id}"
    assert client.get(path).status_code == 404
    assert client.post_form(f"{path}/decide", {"verdict": "accepted", "reason": "x"}).status_code == 404
    assert "Busy Heron" not in client.get("/console/fraud?show=all").text
    assert "Busy Heron" not in client.get("/console/fraud/list.csv?show=all").text


def test_many_are_decided_by_threshold_and_how_many_is_shown_first(world: World, busy: Advocate, admin: Client) -> None:
    buyer = world.advocate("Own Buyer 2")
    link = world.link(buyer)
    for _ in range(4):
        buy(world, link, mail_of(buyer))
    catch_up(world)
    form = {"accept_below": "50", "refuse_above": "80", "reason": "By threshold."}
    shown = admin.post_form("/console/fraud/bulk", form)
    assert (shown.status_code, the_case(world, busy).state) == (200, "held")
    assert services.bulk(world.session, world.brand.id, accept_below=50, refuse_above=80) == services.Bulk(1, 1, 4)
    assert admin.post_form("/console/fraud/bulk", {**form, "sure": "1"}).status_code == 303
    assert the_case(world, busy).state == "accepted"
    whole = cases(world)[f"advocate:{buyer.id}"]
    assert (whole.state, whole.decided_score) == ("refused", whole.score)
    logged = sa.select(sa.func.count(AuditEntry.id)).where(AuditEntry.action.startswith("risk."))
    assert world.session.scalar(logged) == 2
    wrong = admin.post_form("/console/fraud/bulk", {**form, "accept_below": "81", "refuse_above": "80", "sure": "1"})
    assert wrong.status_code == 422
    assert admin.get("/console/fraud/bulk").status_code == 200


def test_the_csv_holds_what_the_list_shows(world: World, busy: Advocate, admin: Client) -> None:
    rows = list(csv.reader(io.StringIO(admin.get("/console/fraud/list.csv").text.lstrip("\ufeff"))))
    assert rows[0][:3] == ["Risk", "Kind", "Advocate"]
    assert rows[1][:4] == ["45", "Day", "Busy Heron 1", DAY]
    assert "30 visits on this day" in rows[1][6]
    assert admin.get("/console/fraud?show=nothing").status_code == 422


def test_the_person_reads_what_was_noticed_and_never_from_how_many_on(
    world: World, busy: Advocate, client: Client
) -> None:
    page = client.get(f"{board_path(world, client, busy)}/why")
    assert page.status_code == 200
    assert "unusually many visits in a short time" in page.text
    checks = page.text.split('id="checks"')[1].split("</section>")[0]
    assert "25" not in "".join(re.findall(r"<(?:p|h3)[ >].*?</", checks, re.DOTALL))
    spanish = client.get(f"{board_path(world, client, busy)}/why?lang=es").text
    assert "más visitas de lo habitual en poco tiempo" in spanish


def test_a_person_appeals_once_and_staff_agree(world: World, busy: Advocate, client: Client) -> None:
    case, path = the_case(world, busy), board_path(world, client, busy)
    client.get(f"{path}/why")
    for text in ("", "x" * 1001):
        assert client.post_form(f"{path}/appeal/{case.id}", {"text": text}).status_code == 422
    assert client.post_form(f"{path}/appeal/{case.id}", {"text": "I was on the radio."}).status_code == 303
    assert "I was on the radio." in client.get(f"{path}/why").text
    assert client.post_form(f"{path}/appeal/{case.id}", {"text": "Again."}).status_code == 409
    (said,) = world.session.scalars(sa.select(RiskAppeal)).all()
    client.sign_in(a_user(world.session, world.brand, "admin"))
    assert "I was on the radio." in client.get(f"/console/fraud/{case.id}").text
    assert "Busy Heron" in client.get("/console/fraud?show=appealed").text
    answer = {"outcome": "accepted", "reason": "Heard it."}
    assert client.post_form(f"/console/fraud/appeals/{said.id}", answer).status_code == 303
    assert client.post_form(f"/console/fraud/appeals/{said.id}", answer).status_code == 409
    catch_up(world)
    assert standing(world, busy.id).milli_points == 30_000
    assert "checks" not in client.get(f"{path}/why").text


def test_a_rejected_appeal_is_a_decision_and_cannot_be_repeated(world: World, busy: Advocate) -> None:
    case = the_case(world, busy)
    said = services.appeal(world.session, busy.id, case.id, "Really me.")
    services.answer_appeal(world.session, said, is_accepted=False, actor="user:1", reason="No sign of it.")
    states = list(world.session.scalars(sa.select(RiskDecision.state).order_by(RiskDecision.id)))
    assert states == ["held", "upheld"]
    assert the_case(world, busy).state == "held"
    with pytest.raises(Conflict):
        services.appeal(world.session, busy.id, case.id, "Please.")
    # Another decision may be appealed again.
    services.decide(world.session, case, "refused", actor="user:1", reason="A farm.")
    assert services.appeal(world.session, busy.id, case.id, "No!").outcome == "open"
    services.decide(world.session, case, "accepted", actor="user:1", reason="After all.")
    outcomes = list(world.session.scalars(sa.select(RiskAppeal.outcome).order_by(RiskAppeal.id)))
    assert outcomes == ["rejected", "accepted"]


def test_nobody_appeals_for_somebody_else_or_without_a_hold(world: World, busy: Advocate) -> None:
    case, other = the_case(world, busy), world.advocate()
    with pytest.raises(NotFound):
        services.appeal(world.session, other.id, case.id, "Mine?")
    services.decide(world.session, case, "accepted", actor="user:1", reason="Fine.")
    with pytest.raises(NotFound):
        services.appeal(world.session, busy.id, case.id, "Thanks.")
    with pytest.raises(Invalid):
        services.decide(world.session, case, "refused", actor="user:1", reason="")
