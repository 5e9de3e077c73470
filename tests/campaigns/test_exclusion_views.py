"""The page about exclusion lists, as a marketer uses it."""

import io

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import ExclusionList
from amplify.customers.models import Customer
from tests.client import Client
from tests.world import a_brand, a_user

PAGE = "/console/exclusions"


@pytest.fixture
def brand(session: Session) -> Brand:
    brand = a_brand(session)
    session.add_all(Customer(brand_id=brand.id, external_id=f"x{n}", email=None) for n in range(3))
    session.flush()
    return brand


@pytest.fixture
def marketer(session: Session, client: Client, brand: Brand) -> Client:
    client.sign_in(a_user(session, brand, "marketer"))
    return client


def test_a_list_is_made_filled_emptied_and_removed(session: Session, marketer: Client) -> None:
    assert "No list yet" in marketer.get(PAGE).text
    marketer.post_form(PAGE, {"name": "Our staff"})
    made = session.scalars(sa.select(ExclusionList)).one()
    done = marketer.post_form(f"{PAGE}/{made.id}/people", {"people": "x1\nx2\nnobody", "act": "put_on"})
    assert "nobody" in done.text
    assert "2 people" in marketer.get(PAGE).text
    upload = {"file": (io.BytesIO(b"id\nx1\n"), "staff.csv"), "act": "take_off"}
    assert marketer.post_form(f"{PAGE}/{made.id}/people", upload).status_code == 200
    assert "1 person" in marketer.get(PAGE).text
    marketer.post_form(f"{PAGE}/{made.id}/removal", {})
    assert session.scalars(sa.select(ExclusionList)).all() == []


def test_a_name_that_is_taken_and_an_empty_upload_say_why(session: Session, marketer: Client) -> None:
    marketer.post_form(PAGE, {"name": "Staff"})
    again = marketer.post_form(PAGE, {"name": "Staff"})
    assert (again.status_code, "There is a list of this name." in again.text) == (422, True)
    made = session.scalars(sa.select(ExclusionList)).one()
    empty = marketer.post_form(f"{PAGE}/{made.id}/people", {"people": " \n"})
    assert (empty.status_code, "paste some" in empty.text) == (422, True)


def test_another_brands_list_is_not_there(session: Session, marketer: Client) -> None:
    other = a_brand(session, "other")
    theirs = ExclusionList(brand_id=other.id, name="Theirs")
    session.add(theirs)
    session.flush()
    assert "Theirs" not in marketer.get(PAGE).text
    assert marketer.post_form(f"{PAGE}/{theirs.id}/removal", {}).status_code == 404


def test_the_brand_team_does_not_keep_lists(session: Session, client: Client, brand: Brand) -> None:
    client.sign_in(a_user(session, brand, "brand"))
    assert client.get(PAGE).status_code == 403
