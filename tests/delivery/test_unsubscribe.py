"""Leaving at one click: a GET changes nothing, a POST without cookies does it, for this brand and mailbox."""

from collections.abc import Callable

import pytest
from apiflask import APIFlask
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.settings import DEVELOPMENT_SECRET
from amplify.core.tokens import Signer
from amplify.customers.services import find_or_create
from amplify.delivery.models import Message
from amplify.delivery.render import unsubscribe_url
from amplify.delivery.services import is_suppressed
from tests.client import Client
from tests.world import a_brand

Order = Callable[..., Message]


@pytest.fixture
def path(app: APIFlask, order: Order) -> str:
    return unsubscribe_url(order()).removeprefix("http://localhost")


def test_looking_at_the_page_changes_nothing(session: Session, brand: Brand, client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "No more mails from Acme?" in answer.text
    assert client.head(path).status_code == 200
    assert not is_suppressed(session, brand.id, "ana@friends.example")


def test_one_click_without_cookies_unsubscribes(session: Session, brand: Brand, client: Client, path: str) -> None:
    client.delete_cookie("session")
    answer = client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200  # no redirect: mail providers do not follow one
    assert "You are unsubscribed" in answer.text
    assert is_suppressed(session, brand.id, "Ana@friends.example")
    assert client.post(path).status_code == 200
    assert "You are unsubscribed" in client.get(path).text


def test_only_this_brand_is_left(session: Session, client: Client, path: str) -> None:
    other = a_brand(session, "other")
    client.post(path)
    assert not is_suppressed(session, other.id, "ana@friends.example")


def test_the_person_no_longer_agrees_to_be_written_to(
    session: Session, brand: Brand, client: Client, path: str
) -> None:
    customer = find_or_create(session, brand, email="ana@friends.example", consent=True, consent_source="api:k")
    assert customer is not None
    client.post(path)
    session.refresh(customer)
    assert (customer.consent, customer.consent_source) == (False, "unsubscribed")


@pytest.mark.parametrize("forged", ["x", "x.y.z", "%00", "é"])
def test_a_forged_token_is_404(client: Client, forged: str) -> None:
    assert client.get(f"/unsubscribe/{forged}").status_code in (400, 404)
    assert client.post(f"/unsubscribe/{forged}").status_code in (400, 404)


def test_a_token_of_another_purpose_does_not_unsubscribe(
    session: Session, brand: Brand, client: Client, order: Order
) -> None:
    token = Signer(DEVELOPMENT_SECRET, "share").sign(order().id)
    assert client.post(f"/unsubscribe/{token}").status_code == 404
    assert not is_suppressed(session, brand.id, "ana@friends.example")


def test_the_page_speaks_the_mails_language(client: Client, order: Order) -> None:
    path = unsubscribe_url(order(locale="es")).removeprefix("http://localhost")
    assert '<html lang="es"' in client.get(path).text


def test_the_links_of_an_erased_person_still_answer(session: Session, client: Client, order: Order) -> None:
    message = order()
    path = unsubscribe_url(message).removeprefix("http://localhost")
    message.address = ""
    assert "You are unsubscribed" in client.get(path).text
    assert client.post(path).status_code == 200
