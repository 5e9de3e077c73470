"""Every route, as the running application knows it: each states its access, each refuses what it must."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.routing import AnyConverter, IntegerConverter, Rule

from amplify.accounts.api_keys import SCOPES
from amplify.core.security import ROLES, Access, access_of
from tests.client import Client
from tests.world import a_brand, a_user

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
# Besides addresses that hold a secret, these need no token of ours, and each says why.
WITHOUT_TOKEN = {
    "surveys.answer": "acts in nobody's name; a survey opened inside a mail program has no cookie; its form is signed",
}


def routes(app: Flask) -> Iterator[tuple[Rule, Access]]:
    for rule in app.url_map.iter_rules():
        access = access_of(app.view_functions[rule.endpoint])
        if access and "probe" not in rule.endpoint:
            yield rule, access


def address(rule: Rule) -> str:
    """An address of this rule that names nothing that exists."""
    _subdomain, path = rule.build({name: _value(rule, name) for name in rule.arguments}) or ("", "/")
    return path


def _value(rule: Rule, name: str) -> object:
    converter = rule._converters[name]
    if isinstance(converter, AnyConverter):
        return sorted(converter.items)[0]
    return 987654321 if isinstance(converter, IntegerConverter) else "nothing-here"


def test_every_endpoint_states_its_access(app: Flask) -> None:
    silent = [name for name, view in app.view_functions.items() if access_of(view) is None and "probe" not in name]
    assert silent == []


def test_every_scope_that_a_route_asks_for_can_be_given_to_a_key(app: Flask) -> None:
    asked = {access.names[0] for _rule, access in routes(app) if access.kind == "api"}
    assert asked <= set(SCOPES)


def test_each_unsafe_route_refuses_a_stranger_without_a_token(app: Flask, client: Client) -> None:
    let_in = []
    for rule, access in routes(app):
        for method in set(rule.methods or ()) & set(UNSAFE):
            if access.kind == "public" and not access.csrf:
                # Right where the address itself holds a secret that no other site can know.
                assert "token" in rule.arguments or rule.endpoint in WITHOUT_TOKEN, rule.rule
            status = client.open(address(rule), method=method).status_code
            if not 400 <= status < 500:
                let_in.append((rule.rule, method, status))
    assert let_in == []


@pytest.mark.parametrize("role", [*ROLES, None])
def test_each_role_reaches_its_routes_and_no_others(
    app: Flask, session: Session, client: Client, role: str | None
) -> None:
    """role x route x method: whoever is not named is turned away before the view, whoever is named is not."""
    if role:
        client.sign_in(a_user(session, a_brand(session), role))
    wrong = []
    for rule, access in routes(app):
        if access.kind != "staff":
            continue
        for method in set(rule.methods or ()) - {"HEAD", "OPTIONS"}:
            data = {"csrf_token": client.csrf_token()} if method in UNSAFE else None
            answer = client.open(address(rule), method=method, data=data)
            allowed = role in access.names
            turned_away = answer.status_code in (401, 403) or "/login?" in (answer.location or "")
            if turned_away == allowed or answer.status_code >= 500:
                wrong.append((rule.rule, method, answer.status_code))
    assert wrong == []


def test_an_api_route_refuses_staff_and_strangers(app: Flask, session: Session, client: Client) -> None:
    client.sign_in(a_user(session, a_brand(session), "admin"))
    for rule, access in routes(app):
        if access.kind == "api":
            for method in set(rule.methods or ()) - {"OPTIONS"}:
                assert client.open(address(rule), method=method).status_code == 401, rule.rule


def test_a_signed_route_refuses_an_unsigned_body(app: Flask, session: Session, client: Client) -> None:
    a_brand(session, slug="nothing-here")
    for rule, access in routes(app):
        if access.kind == "signed":
            answer = client.post(address(rule), json={})
            assert answer.status_code in (401, 404), rule.rule  # 404: a part of the address that does not exist
            assert answer.content_type == "application/problem+json"


def test_every_page_carries_the_strict_headers(app: Flask, client: Client) -> None:
    for rule, _access in routes(app):
        if "GET" in (rule.methods or ()):
            headers = client.get(address(rule)).headers
            policy = headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "Referrer-Policy" in headers
