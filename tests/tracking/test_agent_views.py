"""The console's page of the operator's own list of agents."""

import pytest
import sqlalchemy as sa

from amplify.accounts.models import AuditEntry
from amplify.tracking import agent_list
from tests.client import Client
from tests.tracking.world import World, make_world
from tests.world import a_user


@pytest.fixture
def admin(world: World, client: Client) -> Client:
    client.sign_in(a_user(world.session, world.brand, "admin"))
    return client


def add(client: Client, pattern: str, kind: str = "bot") -> int:
    return client.post_form("/console/agents", {"pattern": pattern, "kind": kind, "note": "seen in May"}).status_code


def test_an_admin_adds_switches_and_removes_an_entry_and_each_is_audited(world: World, admin: Client) -> None:
    assert "No entries yet" in admin.get("/console/agents").text
    assert add(admin, "AcmeThing/") == 303
    (row,) = agent_list.patterns(world.session)
    assert (row.pattern, row.kind, row.note, row.is_on) == ("acmething/", "bot", "seen in May", True)
    admin.post_form(f"/console/agents/{row.id}/switch", {"on": "0"})
    assert not row.is_on
    assert "Switched off" in admin.get("/console/agents").text
    admin.post_form(f"/console/agents/{row.id}/remove", {})
    assert agent_list.patterns(world.session) == []
    actions = sa.select(AuditEntry.action).where(AuditEntry.subject_kind == "agent_pattern").order_by(AuditEntry.id)
    said = ["agent_pattern.added", "agent_pattern.switched", "agent_pattern.removed"]
    assert world.session.scalars(actions).all() == said


@pytest.mark.parametrize(("pattern", "kind"), [("ab", "bot"), ("chrome/", "bot"), ("acmething", "robot"), ("", "bot")])
def test_a_bad_entry_comes_back_with_what_is_wrong(world: World, admin: Client, pattern: str, kind: str) -> None:
    assert add(admin, pattern, kind) == 422
    assert agent_list.patterns(world.session) == []


def test_only_admins_see_the_list(world: World, client: Client) -> None:
    client.sign_in(a_user(world.session, world.brand, "marketer"))
    assert client.get("/console/agents").status_code == 403


def test_the_list_can_be_taken_along(world: World, admin: Client) -> None:
    add(admin, "acmething/")
    lines = admin.get("/console/agents/list.csv").text.splitlines()
    assert len(lines) == 2
    assert "acmething/" in lines[1]


def test_with_several_brands_no_brand_decides_for_the_others(world: World, admin: Client) -> None:
    make_world(world.session, "other")
    answer = admin.get("/console/agents")
    assert answer.status_code == 403
    assert "its operator keeps this list" in answer.text
    assert add(admin, "acmething/") == 403
    assert agent_list.patterns(world.session) == []
