"""The console's pages about one person: for administrators, and only for their own brand's customers."""

import json

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.brands.models import Brand
from amplify.customers.models import Customer
from amplify.customers.services import find_or_create
from tests.client import Client
from tests.world import a_brand, a_user


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session)


@pytest.fixture
def ana(session: Session, brand: Brand) -> Customer:
    customer = find_or_create(session, brand, external_id="c-1", email="ana@friends.example", name="Ana <b>")
    assert customer is not None
    return customer


@pytest.fixture
def admin(session: Session, brand: Brand, client: Client) -> Client:
    client.sign_in(a_user(session, brand))
    return client


@pytest.mark.parametrize("text", ["c-1", "ANA@friends.example", " ana@friends.example "])
def test_a_person_is_found_by_the_whole_address_or_id(admin: Client, ana: Customer, text: str) -> None:
    page = admin.get("/console/customers", query_string={"q": text})
    assert "Ana &lt;b&gt;" in page.text


@pytest.mark.parametrize("text", ["c", "ana", "%", "friends.example", "@", "' OR 1=1 --"])
def test_nobody_browses_through_customers(admin: Client, ana: Customer, text: str) -> None:
    assert "Nobody is known by that" in admin.get("/console/customers", query_string={"q": text}).text


def test_what_is_known_is_shown_and_given_out_as_json(admin: Client, ana: Customer, session: Session) -> None:
    assert "ana@friends.example" in admin.get(f"/console/customers/{ana.id}").text
    answer = admin.post_form(f"/console/customers/{ana.id}/export")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert json.loads(answer.data)["customers"][0]["external_id"] == "c-1"
    assert "customer.exported" in session.scalars(sa.select(AuditEntry.action)).all()


def test_erasing_needs_to_be_said_twice(admin: Client, ana: Customer, session: Session) -> None:
    assert admin.post_form(f"/console/customers/{ana.id}/erase").status_code == 422
    assert admin.post(f"/console/customers/{ana.id}/erase", data={"sure": "yes"}).status_code == 400  # no token
    assert "ana@friends.example" in admin.get(f"/console/customers/{ana.id}").text
    assert admin.post_form(f"/console/customers/{ana.id}/erase", {"sure": "yes"}).status_code == 302
    session.refresh(ana)
    assert ana.erased_at is not None
    assert ana.email is None
    assert "Erased" in admin.get(f"/console/customers/{ana.id}").text


@pytest.mark.parametrize("role", ["marketer", "brand"])
def test_only_administrators_see_them(session: Session, brand: Brand, client: Client, ana: Customer, role: str) -> None:
    client.sign_in(a_user(session, brand, role))
    assert client.get("/console/customers?q=c-1").status_code == 403
    assert client.get(f"/console/customers/{ana.id}").status_code == 403
    assert client.post_form(f"/console/customers/{ana.id}/erase", {"sure": "yes"}).status_code == 403


def test_another_brands_customer_is_404(session: Session, client: Client, ana: Customer) -> None:
    client.sign_in(a_user(session, a_brand(session, "other")))
    assert client.get(f"/console/customers/{ana.id}").status_code == 404
    assert client.post_form(f"/console/customers/{ana.id}/export").status_code == 404
    assert client.post_form(f"/console/customers/{ana.id}/erase", {"sure": "yes"}).status_code == 404
    assert "Nobody is known" in client.get("/console/customers?q=c-1").text
