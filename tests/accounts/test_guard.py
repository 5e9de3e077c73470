"""Who may call what: nobody by default, staff by role, machines by scope, forms by token."""

import pytest
from flask import Flask, Response, g, jsonify
from sqlalchemy.orm import Session

from amplify.core.security import Access
from tests.client import Client
from tests.world import a_brand, a_key, a_user


@pytest.fixture
def probes(app: Flask) -> None:
    """Routes of each kind. Added once to the application of the test run; their names begin with probe."""
    if "probe_staff" in app.view_functions:
        return

    def add(name: str, access: Access | None) -> None:
        def view() -> Response:
            return jsonify(brand=g.brand.slug if g.get("brand") else None, actor=g.get("actor"))

        if access:
            view.access = access  # type: ignore[attr-defined]
        app._got_first_request = False
        app.add_url_rule(f"/probe/{name}", f"probe_{name}", view, methods=["GET", "POST"])

    add("unstated", None)
    add("public", Access("public"))
    add("one_click", Access("public", writes=True, csrf=False))
    add("staff", Access("staff", ("marketer", "brand")))
    add("api", Access("api", ("responses:read",), csrf=False))


@pytest.mark.usefixtures("probes")
class TestTheGuard:
    def test_a_route_that_states_no_access_is_refused_for_everybody(self, session: Session, client: Client) -> None:
        client.sign_in(a_user(session, a_brand(session)))
        assert client.get("/probe/unstated").status_code == 403

    def test_a_stranger_is_sent_to_the_sign_in_and_back(self, client: Client) -> None:
        answer = client.get("/probe/staff?page=2")
        assert answer.status_code == 302
        assert answer.location == "/login?next=/probe/staff?page%3D2"

    def test_a_stranger_who_wants_json_gets_401(self, client: Client) -> None:
        answer = client.get("/probe/staff", headers={"Accept": "application/json"})
        assert answer.status_code == 401
        assert answer.content_type == "application/problem+json"

    def test_the_right_role_enters_as_the_brand(self, session: Session, client: Client) -> None:
        user = a_user(session, a_brand(session), "marketer")
        client.sign_in(user)
        assert client.get("/probe/staff").json == {"brand": "acme", "actor": f"user:{user.id}"}

    def test_a_wrong_role_gets_a_page_that_says_so(self, session: Session, client: Client) -> None:
        client.sign_in(a_user(session, a_brand(session), "admin"))
        answer = client.get("/probe/staff")
        assert answer.status_code == 403
        assert "Your role does not include this page." in answer.text

    def test_a_form_without_its_token_is_refused(self, session: Session, client: Client) -> None:
        client.sign_in(a_user(session, a_brand(session), "marketer"))
        assert client.post("/probe/staff").status_code == 400
        assert client.post("/probe/public").status_code == 400
        assert client.post_form("/probe/staff").status_code == 200

    def test_a_one_click_post_needs_no_token(self, client: Client) -> None:
        assert client.post("/probe/one_click").status_code == 200

    def test_another_clients_token_is_refused(self, app: Flask, session: Session, client: Client) -> None:
        client.sign_in(a_user(session, a_brand(session), "marketer"))
        other = app.test_client()
        assert isinstance(other, Client)
        assert client.post("/probe/staff", data={"csrf_token": other.csrf_token()}).status_code == 400

    def test_a_form_with_nul_is_refused(self, client: Client) -> None:
        answer = client.post("/probe/one_click", data={"name": "a\0b"})
        assert answer.status_code == 400
        assert client.get("/probe/public?name=a%00b").status_code == 400

    def test_a_key_enters_with_its_scope_only(self, session: Session, client: Client) -> None:
        brand = a_brand(session)
        assert client.get("/probe/api", headers=a_key(session, brand, "responses:read")).status_code == 200
        answer = client.get("/probe/api", headers=a_key(session, brand, "responses:write"))
        assert (answer.status_code, answer.json and answer.json["rule"]) == (403, "scope")

    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer x", "Bearer x.y", "Basic eDp5", "Bearer " + "é" * 9 + ".y", "Bearer .."]
    )
    def test_a_wrong_key_is_401(self, client: Client, header: str) -> None:
        answer = client.get("/probe/api", headers={"Authorization": header, "Accept": "application/json"})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_a_key_with_another_secret_is_401(self, session: Session, client: Client) -> None:
        header = a_key(session, a_brand(session), "responses:read")["Authorization"]
        for wrong in (header[:-1] + ("A" if header[-1] != "A" else "B"), header + "A", header[:-1]):
            assert client.get("/probe/api", headers={"Authorization": wrong}).status_code == 401

    def test_a_sign_in_is_no_api_key_and_a_key_is_no_sign_in(self, session: Session, client: Client) -> None:
        brand = a_brand(session)
        key = a_key(session, brand, "responses:read")
        assert client.get("/probe/staff", headers=key).status_code == 302
        client.sign_in(a_user(session, brand, "marketer"))
        assert client.get("/probe/api").status_code == 401

    def test_private_answers_are_kept_by_no_cache(self, session: Session, client: Client) -> None:
        client.sign_in(a_user(session, a_brand(session), "marketer"))
        assert client.get("/probe/staff").headers["Cache-Control"] == "private, no-store"
