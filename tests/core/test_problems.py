"""Errors: JSON for machines, a page for people, a status that is true, and nothing of the inside."""

from typing import NoReturn

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import StaleDataError

from amplify.core.errors import Conflict, Fault, Gone, InvalidInput, TooMany
from amplify.core.security import Access
from tests.client import Client

JSON = {"Accept": "application/json"}
RAISED = {
    "faults": InvalidInput((Fault("a.0", "required", "Missing."), Fault("b", "type", "Wrong."))),
    "conflict": Conflict("Taken.", field="key", rule="unique"),
    "gone": Gone("Over."),
    "many": TooMany("Slowly.", retry_after=7),
    "stale": StaleDataError("UPDATE statement on table 'secrets' expected to update 1 row"),
    "down": OperationalError("SELECT secret", {}, Exception("disk I/O error")),
    "crash": RuntimeError("the inside"),
}


@pytest.fixture(autouse=True)
def _raising(app: Flask) -> None:
    """/probe/raise/<what> raises it. Added once to the application of the test run."""
    if "probe_raise" in app.view_functions:
        return

    def view(what: str) -> NoReturn:
        raise RAISED[what]

    view.access = Access("public")  # type: ignore[attr-defined]
    app._got_first_request = False
    app.add_url_rule("/probe/raise/<what>", "probe_raise", view)


@pytest.mark.parametrize(
    ("what", "status"),
    [("faults", 422), ("conflict", 409), ("gone", 410), ("many", 429), ("stale", 409), ("down", 503), ("crash", 500)],
)
def test_each_error_has_its_status_for_both_kinds_of_callers(client: Client, what: str, status: int) -> None:
    machine = client.get(f"/probe/raise/{what}", headers=JSON)
    assert (machine.status_code, machine.content_type) == (status, "application/problem+json")
    assert machine.json
    assert {"type", "title", "status", "detail"} <= set(machine.json)
    person = client.get(f"/probe/raise/{what}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (person.status_code, person.mimetype) == (status, "text/html")
    assert "<h1>" in person.text


def test_every_fault_is_listed(client: Client) -> None:
    problem = client.get("/probe/raise/faults", headers=JSON).json
    assert problem
    assert (problem["field"], problem["rule"]) == ("a.0", "required")
    assert [fault["field"] for fault in problem["errors"]] == ["a.0", "b"]


@pytest.mark.parametrize("what", ["crash", "down", "stale"])
def test_nothing_of_the_inside_is_shown(client: Client, what: str) -> None:
    for headers in (JSON, {}):
        text = client.get(f"/probe/raise/{what}", headers=headers).text
        for inside in ("the inside", "secret", "disk", "Traceback"):
            assert inside not in text


def test_a_caller_is_told_when_to_come_back(client: Client) -> None:
    assert client.get("/probe/raise/many").headers["Retry-After"] == "7"
    assert "Retry-After" in client.get("/probe/raise/down").headers


def test_an_error_speaks_the_readers_language(client: Client) -> None:
    problem = client.get("/probe/raise/crash", headers={**JSON, "Accept-Language": "es"}).json
    assert problem
    assert problem["title"] == "Algo se ha roto por nuestra parte."


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/nothing-here", "text/html"),
        ("/api/v1/nothing", "application/problem+json"),
        ("/in/x", "application/problem+json"),
    ],
)
def test_an_address_that_leads_nowhere(client: Client, path: str, kind: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (404, kind)


def test_a_method_that_is_not_served_names_those_that_are(client: Client) -> None:
    answer = client.delete("/login")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "a b", "localhost:x", "[::1", ""])
def test_a_host_that_is_not_ours_is_refused(client: Client, host: str) -> None:
    answer = client.get("/login", headers={"Host": host})
    assert answer.status_code == 400
    assert "<h1>" in answer.text
    assert "Content-Security-Policy" in answer.headers


def test_a_form_that_is_too_large_is_413(client: Client) -> None:
    answer = client.post("/login", data={"email": "x" * 1_100_000})
    assert answer.status_code == 413
