"""Approvals by two people, tasks for staff, what is taken back and what expires; the pages and the postback."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.accounts.services import create_signing_key
from amplify.accounts.signing import signature
from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import clock, jobs
from amplify.core.errors import Conflict, Forbidden, Invalid, NotFound
from amplify.core.web import amplify
from amplify.delivery import jobs as delivery_jobs
from amplify.leaderboards.models import PointsEntry
from amplify.rewards import accounts, approving, services, tasks
from amplify.rewards.expiring import expire
from amplify.rewards.models import ProviderAccount, Push
from tests.client import Client
from tests.rewards.making import START, is_balanced, make_advocates, make_rewarded, pushes_of, reward_of
from tests.world import a_brand, a_user


def send(session: Session) -> None:
    session.commit()
    jobs.drain(session)
    while delivery_jobs.release_due(session):
        jobs.drain(session)
    session.expire_all()


def begin(session: Session, brand: Brand, people: int = 3, **reward: Any) -> Campaign:
    make_advocates(session, brand, people)
    campaign = make_rewarded(session, brand, **reward)
    campaigns.start_due(session, START)
    return campaign


def states(session: Session, campaign: Campaign) -> list[str]:
    return [push.state for push in pushes_of(session, campaign)]


@pytest.fixture
def held(session: Session, brand: Brand) -> Campaign:
    """Three rewards of 5.00 under a limit of 4.99."""
    approving.set_limit(session, brand.id, 499, "user:9")
    return begin(session, brand)


def ids_of(session: Session, campaign: Campaign) -> list[int]:
    return [push.id for push in pushes_of(session, campaign)]


def test_a_reward_at_the_limit_needs_nobody(session: Session, brand: Brand) -> None:
    approving.set_limit(session, brand.id, 500, "user:9")
    assert states(session, begin(session, brand)) == ["earned"] * 3


def test_above_the_limit_nothing_leaves_before_two_people_agree(session: Session, brand: Brand, held: Campaign) -> None:
    send(session)
    assert states(session, held) == ["held"] * 3
    ids = ids_of(session, held)
    assert approving.approve(session, brand.id, ids, "user:1") == approving.Approved(first=3)
    send(session)
    assert states(session, held) == ["held"] * 3
    assert approving.approve(session, brand.id, ids[:2], "user:2") == approving.Approved(second=2)
    assert states(session, held) == ["approved", "approved", "held"]
    send(session)
    assert states(session, held) == ["sent", "sent", "held"]
    assert approving.count_waiting(session, brand.id) == 1
    actions = session.scalars(sa.select(AuditEntry.action).where(AuditEntry.action.like("push.approved%"))).all()
    assert actions == ["push.approved-first", "push.approved"]
    assert is_balanced(session, held)


def test_one_person_is_never_two(session: Session, brand: Brand, held: Campaign) -> None:
    ids = ids_of(session, held)
    approving.approve(session, brand.id, ids, "user:1")
    assert approving.approve(session, brand.id, ids, "user:1") == approving.Approved(own=3)
    assert states(session, held) == ["held"] * 3


def test_no_machine_and_no_other_brand_approves(session: Session, brand: Brand, held: Campaign) -> None:
    with pytest.raises(Forbidden) as refused:
        approving.approve(session, brand.id, ids_of(session, held), "key:abc")
    assert refused.value.rule == "four-eyes"
    other = a_brand(session, slug="other")
    assert approving.approve(session, other.id, ids_of(session, held), "user:1") == approving.Approved()
    assert approving.waiting(session, other.id) == []


def test_what_is_refused_is_cancelled_and_its_money_comes_back(session: Session, brand: Brand, held: Campaign) -> None:
    assert approving.refuse(session, brand.id, ids_of(session, held)[:1], "user:1") == 1
    [first, *_rest] = pushes_of(session, held)
    assert (first.state, first.reason) == ("cancelled", approving.REFUSED)
    assert reward_of(session, held).spent_minor == 1000
    assert is_balanced(session, held)


@pytest.mark.parametrize("agreed", [False, True])
def test_a_stop_cancels_what_is_held_or_approved(session: Session, brand: Brand, held: Campaign, agreed: bool) -> None:
    if agreed:
        for actor in ("user:1", "user:2"):
            approving.approve(session, brand.id, ids_of(session, held), actor)
    campaigns.stop(session, held, "user:1")
    send(session)
    assert states(session, held) == ["cancelled"] * 3
    assert is_balanced(session, held)


def test_what_is_approved_in_a_pause_leaves_when_it_ends(session: Session, brand: Brand, held: Campaign) -> None:
    campaigns.pause(session, held, "user:1")
    for actor in ("user:1", "user:2"):
        approving.approve(session, brand.id, ids_of(session, held), actor)
    send(session)
    assert states(session, held) == ["approved"] * 3
    campaigns.resume(session, held, "user:1")
    send(session)
    assert states(session, held) == ["sent"] * 3


@pytest.mark.parametrize("limit", [-1, 10**15 + 1])
def test_a_limit_that_is_no_amount_is_refused(session: Session, brand: Brand, limit: int) -> None:
    with pytest.raises(Invalid):
        approving.set_limit(session, brand.id, limit, "user:1")


@pytest.mark.parametrize("kind", ["manual", "donation", "access"])
def test_a_task_is_told_then_done_once(session: Session, brand: Brand, kind: str) -> None:
    campaign = begin(session, brand, people=2, type=kind, settings={"item": "A cup"})
    assert list(tasks.open_tasks(session, brand.id)) == []
    send(session)
    found = list(tasks.open_tasks(session, brand.id))
    assert [(task.what, task.name, task.email) for task in found] == [
        ("A cup", "Person 0", "p0@mail.example"), ("A cup", "Person 1", "p1@mail.example"),
    ]  # fmt: skip
    for _again in range(2):
        tasks.finish(session, brand.id, found[0].push.id, "user:1")
    assert tasks.count_open(session, brand.id) == 1
    assert states(session, campaign) == ["redeemed", "sent"]


def test_a_task_of_another_brand_or_of_a_code_is_none(session: Session, brand: Brand) -> None:
    campaign = begin(session, brand, people=1)
    send(session)
    [push] = pushes_of(session, campaign)
    for brand_id in (brand.id, a_brand(session, slug="other").id):
        with pytest.raises(NotFound):
            tasks.finish(session, brand_id, push.id, "user:1")


def test_points_are_recognition_written_once_when_the_person_is_told(session: Session, brand: Brand) -> None:
    begin(session, brand, people=2, type="points", settings={"item": "50"})
    send(session)
    entries = session.scalars(sa.select(PointsEntry).where(PointsEntry.cause == "reward")).all()
    assert [(entry.milli_points, entry.is_reward_eligible) for entry in entries] == [(50_000, False)] * 2


def test_a_code_taken_back_is_refused_and_stays_on_the_books(session: Session, brand: Brand) -> None:
    campaign = begin(session, brand, people=1)
    code = str(pushes_of(session, campaign)[0].code)
    with pytest.raises(Conflict) as refused:
        services.revoke(session, brand.id, code, "user:1")
    assert refused.value.rule == "revoke-from"
    send(session)
    for _again in range(2):
        services.revoke(session, brand.id, code, "user:1")
    with pytest.raises(Conflict) as refused:
        services.redeem(session, brand.id, code, "user:1")
    assert refused.value.rule == "code-cancelled"
    assert is_balanced(session, campaign)


def test_what_nobody_redeems_expires_after_its_last_day(session: Session, brand: Brand) -> None:
    tomorrow = clock.now().date() + timedelta(days=1)  # today may be over where the campaign is
    campaign = begin(session, brand, people=2, expires_on=tomorrow.isoformat())
    send(session)
    services.redeem(session, brand.id, str(pushes_of(session, campaign)[0].code), "user:1")
    assert expire(session) == 0
    with time_machine.travel(clock.now() + timedelta(days=3)):
        assert expire(session) == 1
        assert expire(session) == 0
        with pytest.raises(Conflict) as refused:
            services.redeem(session, brand.id, str(pushes_of(session, campaign)[1].code), "user:1")
    assert refused.value.rule == "code-expired"
    assert states(session, campaign) == ["redeemed", "expired"]
    assert is_balanced(session, campaign)


# Pages


@pytest.fixture
def admin(session: Session, client: Client, brand: Brand) -> Client:
    client.sign_in(a_user(session, brand, "admin"))
    return client


def post(client: Client, path: str, **data: Any) -> Any:
    return client.post(path, data={"csrf_token": client.csrf_token(), **data})


def test_keys_are_given_sealed_and_shown_never_again(session: Session, admin: Client, brand: Brand) -> None:
    given = {"address": "https://api.tremendous.com", "api_key": "PROD_canary", "funding_source_id": "BALANCE"}
    assert post(admin, "/console/providers/tremendous", **given).status_code == 303
    page = admin.get("/console/providers").get_data(as_text=True)
    assert "PROD_canary" not in page
    assert "https://api.tremendous.com" in page
    row = session.scalars(sa.select(ProviderAccount)).one()
    assert "canary" not in row.sealed_keys
    assert "canary" not in repr(session.scalars(sa.select(AuditEntry.detail)).all())
    assert post(admin, "/console/providers/tremendous/removal").status_code == 303
    assert session.scalars(sa.select(ProviderAccount)).all() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"address": "http://10.0.0.1"}, "public address"),
        ({"address": "https://localhost.localdomain:1/" + "a" * 200}, "at most 200"),
        ({"api_key": ""}, "1 to 500"),
        ({"api_key": "a\nb"}, "1 to 500"),
    ],
)
def test_an_account_that_cannot_be_is_refused_at_its_field(admin: Client, changes: dict[str, str], said: str) -> None:
    given = {"address": "https://api.tremendous.com", "api_key": "K", "funding_source_id": "BALANCE"}
    answer = post(admin, "/console/providers/tremendous", **{**given, **changes})
    assert answer.status_code == 422
    assert said in answer.get_data(as_text=True)


def test_keys_of_one_brand_do_not_open_for_another(session: Session, brand: Brand) -> None:
    from amplify.core.outgoing import Client as Calls
    from amplify.rewards.providers import Stalled
    from amplify.rewards.types import type_of

    keys = {"api_key": "K", "funding_source_id": "B"}
    provider = accounts.provider_of("tremendous")
    account = accounts.write(session, Calls(), brand.id, provider, "https://api.tremendous.com", keys, "user:1")
    other = a_brand(session, slug="other")
    account.brand_id = other.id
    session.flush()
    with pytest.raises(Stalled):
        accounts.counter(session, Calls(), other.id, type_of("tremendous"))


def test_the_limit_is_given_in_money_and_empty_means_none(session: Session, admin: Client, brand: Brand) -> None:
    assert post(admin, "/console/reward-limit", limit="12.50").status_code == 303
    assert approving.limit_of(session, brand.id) == 1250
    assert post(admin, "/console/reward-limit", limit="many").status_code == 422
    assert post(admin, "/console/reward-limit", limit="").status_code == 303
    assert approving.limit_of(session, brand.id) is None


def test_two_people_agree_on_the_page(
    session: Session, client: Client, admin: Client, brand: Brand, held: Campaign
) -> None:
    session.commit()
    page = admin.get("/console/approvals").get_data(as_text=True)
    assert page.count('name="push"') == 3
    chosen = {"push": [str(one) for one in ids_of(session, held)], "act": "approve"}
    assert post(admin, "/console/approvals", **chosen).status_code == 303
    assert "You agreed; somebody else has to" in admin.get("/console/approvals").get_data(as_text=True)
    client.sign_in(a_user(session, brand, "marketer"))
    assert post(client, "/console/approvals", **chosen).status_code == 303
    session.expire_all()
    assert states(session, held) == ["approved"] * 3


def test_staff_sees_tasks_takes_them_as_a_file_and_says_done(session: Session, admin: Client, brand: Brand) -> None:
    campaign = begin(session, brand, people=1, type="manual", settings={"item": "=A cup"})
    send(session)
    [push] = pushes_of(session, campaign)
    assert "=A cup" in admin.get("/console/tasks").get_data(as_text=True)
    assert "'=A cup" in admin.get("/console/tasks.csv").get_data(as_text=True)
    assert post(admin, f"/console/tasks/{push.id}/completion").status_code == 303
    assert "Nothing is to be done." in admin.get("/console/tasks").get_data(as_text=True)


def test_a_stalled_campaign_says_why_and_goes_on_by_a_button(session: Session, admin: Client, brand: Brand) -> None:
    campaign = begin(session, brand, people=1)
    reward_of(session, campaign).stalled = "402 Insufficient funds"
    session.commit()
    page = admin.get(f"/console/campaigns/{campaign.id}").get_data(as_text=True)
    assert "402 Insufficient funds" in page
    assert post(admin, f"/console/campaigns/{campaign.id}/continuation").status_code == 303
    session.expire_all()
    assert reward_of(session, campaign).stalled == ""


def test_a_code_is_taken_back_on_the_page(session: Session, admin: Client, brand: Brand) -> None:
    campaign = begin(session, brand, people=1)
    send(session)
    code = pushes_of(session, campaign)[0].code
    assert post(admin, "/console/redemptions/revocation", code=code).status_code == 303
    assert states(session, campaign) == ["revoked"]
    assert post(admin, "/console/redemptions/revocation", code="NOBODYS").status_code == 404


def test_a_signed_postback_redeems_once(session: Session, client: Client, brand: Brand) -> None:
    campaign = begin(session, brand, people=1)
    send(session)
    code = pushes_of(session, campaign)[0].code
    secret_key = amplify().settings.secret
    _row, secret = create_signing_key(session, brand, key="shop", name="Shop", secret_key=secret_key, actor="user:1")
    session.commit()
    body = f'{{"code": "{code}"}}'.encode()
    stamp = str(int(datetime.now(UTC).timestamp()))
    headers = {
        "webhook-id": "1", "webhook-timestamp": stamp, "webhook-signature": signature(secret, "1", stamp, body),
        "Content-Type": "application/json",
    }  # fmt: skip
    path = f"/in/{brand.slug}/shop/redemptions"
    assert client.post(path, data=body, headers={**headers, "webhook-signature": "v1,bad"}).status_code == 401
    assert [client.post(path, data=body, headers=headers).status_code for _again in range(2)] == [201, 200]
    session.expire_all()
    assert session.scalars(sa.select(Push.state)).all() == ["redeemed"]
