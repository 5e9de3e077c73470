"""`amplify providers`, `approvals` and `tasks`: what the console's pages about giving can do, for scripts."""

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.core import jobs
from amplify.core.db import Base
from amplify.core.seal import seal
from amplify.rewards.models import ProviderAccount, Push, RewardPolicy
from tests.rewards.fakes.server import served
from tests.rewards.fakes.shops import FakeStripe
from tests.rewards.making import START, make_advocates, make_brand, make_rewarded
from tests.world import a_user

Amplify = Callable[..., subprocess.CompletedProcess[str]]
SECRET = "a secret of this test, long enough"
BRAND = ("--brand", "acme")
ANA, BEN, LOOKER = (("--as", f"{name}@acme.example") for name in ("ana", "ben", "looker"))


@pytest.fixture
def engine(environment: dict[str, str], whole_app: Any) -> Iterator[sa.Engine]:
    """The command line's database, with staff (the application is there for its wired reactions)."""
    environment |= {"AMPLIFY_SECRET_KEY": SECRET, "AMPLIFY_OUTGOING_TO_LOOPBACK": "true"}
    engine = sa.create_engine(environment["AMPLIFY_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(engine)
    jobs.create_tables(engine)
    with whole_app.app_context(), Session(engine) as session:
        brand = make_brand(session)
        for name, role in (("ana", "admin"), ("ben", "marketer"), ("looker", "brand")):
            a_user(session, brand, role, f"{name}@acme.example")
        session.commit()
    yield engine
    engine.dispose()


def given(engine: sa.Engine, app: Any, limit: int | None, **reward: Any) -> None:
    """Two rewards of a campaign that has started."""
    with app.app_context(), Session(engine) as session:
        brand = session.scalars(sa.select(Brand)).one()
        session.add(RewardPolicy(brand_id=brand.id, approve_above_minor=limit))
        make_advocates(session, brand, 2)
        make_rewarded(session, brand, top=2, **reward)
        campaigns.start_due(session, START)
        session.commit()


def told(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_two_people_approve_and_one_is_not_enough(amplify: Amplify, engine: sa.Engine, whole_app: Any) -> None:
    given(engine, whole_app, limit=100)
    first, second = (one["id"] for one in told(amplify("approvals", "list", *BRAND, "--json")))
    ids = str(first), str(second)
    assert amplify("approvals", "approve", *ids, *BRAND, *LOOKER).returncode == 1
    assert amplify("approvals", "approve", *ids, *BRAND, "--as", "nobody@acme.example").returncode == 1
    once = {"approved": 0, "agreed": 2, "wait_for_somebody_else": 0}
    assert told(amplify("approvals", "approve", *ids, *BRAND, *ANA, "--json")) == once
    again = {"approved": 0, "agreed": 0, "wait_for_somebody_else": 2}
    assert told(amplify("approvals", "approve", *ids, *BRAND, *ANA, "--json")) == again
    assert told(amplify("approvals", "approve", ids[0], *BRAND, *BEN, "--json"))["approved"] == 1
    assert told(amplify("approvals", "refuse", ids[1], *BRAND, *BEN, "--json")) == {"refused": 1}
    with Session(engine) as session:
        states = session.scalars(sa.select(Push.state).order_by(Push.id)).all()
        assert states == ["approved", "cancelled"]
        approved = sa.select(AuditEntry.actor).where(AuditEntry.action == "push.approved")
        assert session.scalars(approved).one() == "user:2"


def test_a_task_is_listed_and_done_once(amplify: Amplify, engine: sa.Engine, whole_app: Any) -> None:
    given(engine, whole_app, limit=None, type="manual", settings={"item": "A mug"})
    with Session(engine) as session:
        session.execute(sa.update(Push).values(state="sent"))
        session.commit()
    listed = told(amplify("tasks", "list", *BRAND, "--json"))
    assert [one["what"] for one in listed] == ["A mug", "A mug"]
    for _ in range(2):
        done = told(amplify("tasks", "done", str(listed[0]["id"]), *BRAND, *BEN, "--json"))
        assert done == {"id": listed[0]["id"], "state": "redeemed"}
    assert "A mug" in amplify("tasks", "list", *BRAND).stdout
    assert amplify("tasks", "done", "999", *BRAND, *BEN).returncode == 1
    assert amplify("tasks", "done", str(listed[1]["id"]), *BRAND, *LOOKER).returncode == 1


def test_an_account_is_tried_out_without_ordering_anything(amplify: Amplify, engine: sa.Engine) -> None:
    missing = told(amplify("providers", "test", "stripe", *BRAND, "--json"), 1)
    assert (missing["ok"], "no account" in missing["said"]) == (False, True)
    with served(FakeStripe()) as stripe:
        with Session(engine) as session:
            sealed = seal(json.dumps({"secret_key": stripe.key}), owner="provider_accounts:1:stripe", secret_key=SECRET)
            account = {"provider": "stripe", "address": stripe.address, "sealed_keys": sealed}
            session.add(ProviderAccount(brand_id=1, **account))
            session.commit()
        assert told(amplify("providers", "test", "stripe", *BRAND, "--json"))["ok"] is True
        stripe.key = "another"
        refused = told(amplify("providers", "test", "stripe", *BRAND, "--json"), 1)
        assert "401" in refused["said"]
        assert (stripe.made, stripe.posts()) == ({}, 0)
        listed = {one["provider"]: one["address"] for one in told(amplify("providers", "list", *BRAND, "--json"))}
        assert (listed["stripe"], listed["tango"]) == (stripe.address, None)
    assert stripe.key not in amplify("providers", "list", *BRAND).stdout
    assert amplify("providers", "test", "no-such", *BRAND).returncode == 1
