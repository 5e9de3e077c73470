"""Nobody adds a header, a recipient or a line to a mail: what comes from outside is parsed back as it went in."""

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.errors import Invalid
from amplify.delivery.models import Message
from amplify.delivery.sending import Batch
from tests.delivery.conftest import CONTEXT
from tests.delivery.mailserver import MailServer

BREAKS = ("\r\n", "\n", "\r", "\x00", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1b")
PAYLOADS = [f"Acme{b}Bcc: evil@attack.example{b}{b}<b>body</b>" for b in BREAKS] + [
    'Acme" <evil@attack.example>, "x',
    "Acme\\",
    "=?utf-8?q?Acme=0D=0ABcc:_evil@attack.example?=",
    "=?utf-8?b?QWNtZQ0KQmNjOiBldmlsQGF0dGFjay5leGFtcGxl?= =?utf-8?q?=0D=0A?=",
    "==??utf-8?q?=0D=0ABcc:_evil@attack.example?=",
    "A" * 200,
    "名前 ñandú 👍",
    "(comment) Acme, Inc.; @home: <>",
]
ADDRESSES = [f"ana@friends.example{b}Bcc: evil@attack.example" for b in BREAKS] + [
    "ana@friends.example, evil@attack.example",
    "ana@friends.example;evil@attack.example",
    "Ana <ana@friends.example>",
    "<ana@friends.example>",
    "ana@friends.example\r\nRCPT TO:<evil@attack.example>",
    "@friends.example",
    "ana",
    "ana@",
    "ana@" + "a" * 300 + ".example",
    "ana@friends..example",
    "ana@[127.0.0.1]",
    "",
    "\ud800@friends.example",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_brands_or_customers_name_cannot_break_out(
    brand: Brand, order: Callable[..., Message], send: Callable[..., Batch], mailserver: MailServer, payload: str
) -> None:
    brand.name = payload
    storable = payload.replace("\x00", "")  # PostgreSQL stores no NUL; nor does the boundary let one in
    brand.name = storable
    message = order(context={**CONTEXT, "name": storable, "quote": storable * 20})
    batch = send(message)
    assert batch.sent == 1, batch
    mail = mailserver.mails[0]
    assert mailserver.recipients == [["ana@friends.example"]]
    assert mail["Bcc"] is None
    assert len(mail["From"].addresses) == 1
    assert mail["From"].addresses[0].addr_spec == "hello@amplify.example"
    assert len(mail["To"].addresses) == 1
    expected = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Unsubscribe"}
    expected |= {"List-Unsubscribe-Post", "MIME-Version", "Content-Type"}
    assert set(mail.keys()) == expected
    html = mail.get_body(("html",))
    assert html is not None
    assert "<b>body</b>" not in html.get_content()


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_no_address_is_never_ordered(session: Session, order: Callable[..., Message], address: str) -> None:
    with pytest.raises(Invalid) as refused:
        order(address)
    assert (refused.value.field, refused.value.rule) == ("address", "email")


def test_an_address_that_got_into_the_database_still_cannot_break_out(
    session: Session, order: Callable[..., Message], send: Callable[..., Batch], mailserver: MailServer
) -> None:
    message = order()
    message.address = "ana@friends.example\r\nBcc: evil@attack.example"
    assert send(message).not_sent == 1
    assert mailserver.mails == []


def test_letters_of_every_script_arrive(
    order: Callable[..., Message], send: Callable[..., Batch], mailserver: MailServer
) -> None:
    send(order("ñandú@müller.example", context={**CONTEXT, "quote": "太好了 👍 ¡qué bien!"}))
    assert mailserver.recipients == [["ñandú@xn--mller-kva.example"]]
    text = mailserver.mails[0].get_body(("plain",))
    assert text is not None
    assert "太好了 👍 ¡qué bien!" in text.get_content()
