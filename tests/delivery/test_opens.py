"""The picture in a mail: there only where a brand turned it on, and loading it changes one fact and nothing else."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.delivery.models import Message
from amplify.delivery.opens import kind
from amplify.delivery.sending import Batch
from tests.client import Client
from tests.delivery.mailserver import MailServer

Order = Callable[..., Message]
Send = Callable[..., Batch]
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
LATER = timedelta(hours=1)


@pytest.fixture
def sent(session: Session, brand: Brand, order: Order, send: Send, mailserver: MailServer) -> tuple[Message, str]:
    """A mail that left an hour ago, and the address of its picture."""
    brand.counts_opens = True
    message = order()
    send(message)
    body = mailserver.mails[0].get_body(("html",))
    assert body is not None
    found = re.search(r'<img src="http://localhost(/o/[^"]+\.gif)"', body.get_content())
    assert found is not None
    message.sent_at = clock.now() - LATER
    session.flush()
    return message, found[1]


def load(client: Client, address: str, agent: str = THUNDERBIRD) -> None:
    answer = client.get(address, headers={"User-Agent": agent})
    assert (answer.status_code, answer.content_type, answer.data[:6]) == (200, "image/gif", b"GIF89a")
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_no_mail_carries_one_unless_the_brand_turned_it_on(order: Order, send: Send, mailserver: MailServer) -> None:
    send(order())
    assert b"/o/" not in mailserver.raw[0]


def test_a_mail_that_is_no_marketing_never_does(brand: Brand, order: Order, send: Send, mailserver: MailServer) -> None:
    brand.counts_opens = True
    send(order(is_marketing=False))
    assert b"/o/" not in mailserver.raw[0]


def test_loading_it_notes_when_and_by_what_kind_of_program(
    session: Session, client: Client, sent: tuple[Message, str]
) -> None:
    message, address = sent
    before = {c.key: getattr(message, c.key) for c in sa.inspect(Message).column_attrs}
    load(client, address)
    session.refresh(message)
    after = {c.key: getattr(message, c.key) for c in sa.inspect(Message).column_attrs}
    changed = {name for name, value in after.items() if value != before[name]}
    assert changed == {"opened_by", "opened_at"}
    assert message.opened_by == "person"
    first = message.opened_at
    load(client, address, GMAIL)  # says less than what is known
    session.refresh(message)
    assert (message.opened_by, message.opened_at) == ("person", first)


def test_a_person_after_a_machine_is_what_counts(session: Session, client: Client, sent: tuple[Message, str]) -> None:
    message, address = sent
    for agent, expected in (("Mozilla/5.0", "machine"), (GMAIL, "proxy"), (THUNDERBIRD, "person")):
        load(client, address, agent)
        session.refresh(message)
        assert message.opened_by == expected


def test_asking_for_the_head_of_it_is_no_open(session: Session, client: Client, sent: tuple[Message, str]) -> None:
    message, address = sent
    assert client.head(address, headers={"User-Agent": THUNDERBIRD}).status_code == 200
    session.refresh(message)
    assert message.opened_by == ""


def test_nothing_is_kept_once_the_brand_turned_it_off_or_the_person_was_erased(
    session: Session, client: Client, brand: Brand, sent: tuple[Message, str]
) -> None:
    message, address = sent
    brand.counts_opens = False
    session.flush()
    load(client, address)
    brand.counts_opens, message.address = True, ""
    session.flush()
    load(client, address)
    session.refresh(message)
    assert (message.opened_by, message.opened_at) == ("", None)


def test_an_address_that_we_did_not_sign_is_none(client: Client, sent: tuple[Message, str]) -> None:
    token = sent[1].removeprefix("/o/").removesuffix(".gif")
    assert client.get("/o/nonsense.gif").status_code == 404
    assert client.get(f"/unsubscribe/{token}").status_code == 404


@pytest.mark.parametrize(
    ("agent", "seconds", "expected"),
    [
        ("Mozilla/5.0", 3600, "machine"),  # Apple's Mail Privacy Protection says no more
        ("", 3600, "machine"),
        ("Barracuda Sentinel (EE)", 3600, "machine"),
        (THUNDERBIRD, 3, "machine"),  # nobody is so quick
        (THUNDERBIRD, 3600, "person"),
        (GMAIL, 3, "proxy"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", 3600, "proxy"),
    ],
)
def test_kinds_are_told_apart_as_far_as_they_can_be(agent: str, seconds: int, expected: str) -> None:
    assert kind(agent, timedelta(seconds=seconds)) == expected


def test_the_privacy_page_says_so_where_it_is_on(client: Client, session: Session, brand: Brand) -> None:
    page = f"/b/{brand.slug}/privacy"
    assert "tiny picture" not in client.get(page).text
    brand.counts_opens = True
    session.flush()
    assert "tiny picture" in client.get(page).text
