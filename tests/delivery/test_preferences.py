"""The page of one's wishes, behind a link in every mail: kept, shown again, and obeyed."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.customers.models import Customer
from amplify.customers.services import find_or_create
from amplify.delivery.models import Message, Wishes
from amplify.delivery.sending import Batch
from tests.client import Client
from tests.delivery.mailserver import MailServer

Order = Callable[..., Message]
Send = Callable[..., Batch]


@pytest.fixture
def customer(session: Session, brand: Brand) -> Customer:
    made = find_or_create(session, brand, email="ana@friends.example", consent=True, consent_source="hosted:x")
    assert made is not None
    return made


@pytest.fixture
def link(customer: Customer, order: Order, send: Send, mailserver: MailServer) -> str:
    """The address in the mail."""
    send(order(person=customer.person))
    body = mailserver.mails[0].get_body(("plain",))
    assert body is not None
    found = re.search(r"http://localhost(/preferences/\S+)", body.get_content())
    assert found is not None
    return found[1]


def test_the_page_shows_what_is_so_and_a_get_changes_nothing(session: Session, client: Client, link: str) -> None:
    page = client.get(link).get_data(as_text=True)
    assert page.count("checked") == 4
    assert session.scalar(sa.select(Wishes)) is None


def test_wishes_are_kept_shown_again_and_obeyed(
    session: Session, client: Client, link: str, customer: Customer, order: Order, send: Send
) -> None:
    said = {"way": ["webpush", "sms"], "often": "fewer", "locale": "es"}
    for _ in range(2):
        answer = client.post(link, data=said)
        assert answer.status_code == 200
    assert "Guardamos tus preferencias" in answer.get_data(as_text=True)
    kept = session.scalars(sa.select(Wishes)).one()
    assert (kept.unwanted, kept.wants_fewer, customer.locale) == (["email"], True, "es")
    message = order(person=customer.person)
    send(message)
    assert (message.state, message.reason) == ("suppressed", "unwanted")


def test_a_mail_to_nobody_known_has_no_such_page(order: Order, send: Send, mailserver: MailServer) -> None:
    send(order())
    assert b"/preferences/" not in mailserver.raw[0]


@pytest.mark.parametrize("locale", ["", "fr", "e" * 100])
def test_a_language_that_is_none_is_refused(client: Client, link: str, locale: str) -> None:
    assert client.post(link, data={"locale": locale}).status_code == 422


def test_the_link_of_another_purpose_does_not_open_it(client: Client, link: str) -> None:
    token = link.rpartition("/")[2]
    assert client.get(f"/unsubscribe/{token}").status_code == 404
    assert client.get("/preferences/nonsense").status_code == 404
