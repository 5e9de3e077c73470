"""Mail over a real SMTP server: what it carries, and what becomes of each refusal."""

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock, events, jobs, pulse
from amplify.core.settings import Settings
from amplify.delivery import outcomes, sending, services
from amplify.delivery.events import MessageNotSent, MessagesSent
from amplify.delivery.jobs import DEATHS, hand_over, release_due
from amplify.delivery.models import Message
from amplify.delivery.outcomes import ATTEMPTS
from amplify.delivery.sending import Batch
from tests.delivery.mailserver import MailServer, listening

Order = Callable[..., Message]
Send = Callable[..., Batch]


@pytest.fixture(params=["one command at a time", "pipelining"])
def mailserver(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    """Each of these tests with a server of either kind."""
    with listening() as server:
        server.is_pipelining = request.param == "pipelining"
        yield server


def test_a_mail_arrives_with_all_it_has_to_carry(order: Order, send: Send, mailserver: MailServer) -> None:
    message = order()
    assert send(message).sent == 1
    mail = mailserver.mails[0]
    assert mail["From"] == "Acme <hello@amplify.example>"
    assert mail["To"] == "ana@friends.example"
    assert mail["Subject"] == "Your words about Acme are worth sharing"
    assert mail["Message-ID"] == message.message_id
    assert mail["Date"].datetime - clock.now() < timedelta(seconds=5)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "https://a.example/ask/t" in text.get_content()
    assert 'href="https://a.example/ask/t"' in html.get_content()
    assert "1 Main Street" in text.get_content()
    assert "<style>" not in html.get_content()  # in the elements, but for the sheet that knows dark mode
    assert message.state == "sent"
    assert message.sent_at is not None


def test_one_click_unsubscribe_is_in_the_headers_of_marketing_mail_only(
    order: Order, send: Send, mailserver: MailServer
) -> None:
    send(order(), order("ben@friends.example", is_marketing=False))
    marketing, receipt = mailserver.mails
    assert marketing["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert str(marketing["List-Unsubscribe"]).startswith("<http://localhost/unsubscribe/")
    assert b"\r\nList-Unsubscribe: <http://localhost/unsubscribe/" in mailserver.raw[0]
    assert receipt["List-Unsubscribe"] is None


def test_a_long_unsubscribe_address_is_not_broken_by_folding(settings: Settings) -> None:
    from amplify.delivery.envelope import Outgoing, compose
    from amplify.delivery.render import Rendered

    url = "https://amplify.example/unsubscribe/" + "aB-_." * 60
    rendered = Rendered("Hi", "text\n", "<p>html</p>")
    mail = compose(Outgoing("<1@a.example>", "ana@friends.example", "A <a@a.example>", "", rendered, url))
    assert f"List-Unsubscribe: <{url}>\r\n".encode() in mail


def test_a_batch_shares_one_connection(order: Order, send: Send, mailserver: MailServer) -> None:
    messages = [order(f"person{n}@friends.example") for n in range(20)]
    assert send(*messages).sent == 20
    assert mailserver.connections == 1
    assert len({str(mail["Message-ID"]) for mail in mailserver.mails}) == 20


def test_what_was_sent_is_not_sent_again(order: Order, send: Send, mailserver: MailServer) -> None:
    message = order()
    send(message)
    assert send(message) == Batch()
    assert len(mailserver.mails) == 1


def test_a_retry_carries_the_same_message_id(order: Order, send: Send, mailserver: MailServer) -> None:
    message = order()
    mailserver.data_answers = ["451 4.3.0 later, please"]
    batch = send(message)
    assert batch.later == ["451 4.3.0 later, please"]
    assert (message.state, message.attempts) == ("waiting", 1)
    assert send(message).sent == 1
    assert mailserver.mails[0]["Message-ID"] == message.message_id


@pytest.mark.parametrize("answer", ["450 4.2.1 mailbox busy", "452 4.2.2 mailbox full"])
def test_later_for_one_mailbox_holds_up_nobody_else(
    order: Order, send: Send, mailserver: MailServer, answer: str
) -> None:
    busy, other = order("busy@friends.example"), order()
    mailserver.refuse["busy@friends.example"] = answer
    batch = send(busy, other)
    assert (batch.sent, len(batch.later)) == (1, 1)
    assert busy.state == "waiting"


@pytest.mark.parametrize(
    ("answer", "is_dead"),
    [
        ("550 5.1.1 no such user", True),
        ("550 user unknown", True),
        ("551 5.1.6 has moved", True),
        ("550 5.7.1 we do not like your server", False),
        ("552 5.2.2 over quota", False),
        ("554 5.7.1 spam", False),
    ],
)
def test_never_stops_and_an_unknown_mailbox_is_suppressed(
    session: Session, brand: Brand, order: Order, send: Send, mailserver: MailServer, answer: str, is_dead: bool
) -> None:
    message = order("gone@friends.example")
    mailserver.refuse["gone@friends.example"] = answer
    batch = send(message)
    assert (batch.not_sent, batch.later) == (1, [])
    assert message.state == "failed"
    assert answer[:3] in message.reason
    assert services.is_suppressed(session, brand.id, "gone@friends.example") is is_dead


def test_a_mailbox_that_says_later_for_half_a_day_is_given_up(
    session: Session, order: Order, send: Send, mailserver: MailServer
) -> None:
    message = order()
    message.attempts = ATTEMPTS - 1
    mailserver.refuse[message.address] = "450 4.2.1 busy"
    send(message)
    assert message.state == "failed"
    assert "gave up" in message.reason


def test_refusals_among_others_hit_only_their_own(order: Order, send: Send, mailserver: MailServer) -> None:
    people = [f"p{n}@friends.example" for n in range(8)]
    mailserver.refuse = {people[2]: "550 5.1.1 no such user", people[3]: "450 4.2.1 busy", people[7]: "554 5.7.1 no"}
    mailserver.data_answers = ["451 4.3.0 later, please", "554 5.7.1 spam"]  # the first two
    batch = send(*map(order, people))
    assert (batch.sent, batch.not_sent, len(batch.later)) == (3, 3, 2)
    assert [recipients[0] for recipients in mailserver.recipients] == people[4:7]
    assert mailserver.connections == 1


def test_who_unsubscribes_while_others_are_sent_gets_nothing(
    session: Session, brand: Brand, order: Order, send: Send, mailserver: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look at a group comes after the last group has left, not at the beginning of the batch."""
    messages = [order(f"p{n}@friends.example") for n in range(sending.FIRST_GROUP + 5)]

    def note_and_unsubscribe(sessions: Any, ids: Any) -> None:
        outcomes.note_sent(sessions, ids)
        services.suppress(session, brand.id, "p12@friends.example", "unsubscribed")
        session.commit()

    monkeypatch.setattr(sending, "note_sent", note_and_unsubscribe)
    assert send(*messages).sent == len(messages) - 1
    assert ["p12@friends.example"] not in mailserver.recipients


def test_a_slow_server_gets_small_groups(
    order: Order, send: Send, mailserver: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "GROUP_SECONDS", 0.0)
    noted: list[int] = []

    def note_sent(sessions: Any, ids: Any) -> None:
        noted.append(len(ids))
        outcomes.note_sent(sessions, ids)

    monkeypatch.setattr(sending, "note_sent", note_sent)
    assert send(*(order(f"p{n}@friends.example") for n in range(4))).sent == 4
    assert noted == [1, 1, 1, 1]


def test_two_mails_to_one_person_are_counted_one_after_the_other(
    brand: Brand, order: Order, send: Send, mailserver: MailServer
) -> None:
    brand.cap_messages, brand.cap_days = 1, 30
    batch = send(order(person="customer:1"), order(person="customer:1"))
    assert (batch.sent, batch.put_off) == (1, 1)


def test_a_server_that_is_away_loses_nothing_and_is_asked_once(order: Order, send: Send) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        messages = [order(f"p{n}@friends.example") for n in range(3)]
        batch = send(*messages, smtp_port=closed.getsockname()[1])
    assert len(batch.later) == 1
    assert {(m.state, m.attempts) for m in messages} == {("waiting", 0)}


def test_a_silent_server_times_out(order: Order, send: Send) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        batch = send(order(), smtp_port=silent.getsockname()[1], smtp_timeout_seconds=0.3)
    assert len(batch.later) == 1


def test_a_connection_that_the_server_closed_is_opened_again(order: Order, send: Send, mailserver: MailServer) -> None:
    mailserver.data_answers = ["421 4.3.2 closing"]
    first, second = order(), order("ben@friends.example")
    batch = send(first, second)
    assert (batch.sent, len(batch.later), mailserver.connections) == (1, 1, 2)  # nobody else is held up
    assert send(first, second).sent == 1


def test_a_server_that_closes_twice_in_a_row_is_left_in_peace(order: Order, send: Send, mailserver: MailServer) -> None:
    mailserver.data_answers = ["421 4.3.2 closing", "421 4.3.2 closing"]
    messages = [order(f"p{n}@friends.example") for n in range(5)]
    assert len(send(*messages).later) == 2
    assert [message.attempts for message in messages] == [1, 1, 0, 0, 0]
    assert send(*messages).sent == 5


def test_a_sign_in_is_made_and_a_wrong_password_loses_nothing(order: Order, send: Send) -> None:
    with listening(user="me", password="right") as server:
        message = order()
        where = {"smtp_port": server.port, "smtp_user": "me", "smtp_timeout_seconds": 1.0}
        assert send(message, **where, smtp_password="wrong").later
        assert message.state == "waiting"
        assert send(message, **where, smtp_password="right").sent == 1


def test_unsubscribing_between_order_and_sending_stops_the_mail(
    session: Session, brand: Brand, order: Order, send: Send, mailserver: MailServer
) -> None:
    marketing, receipt = order(), order(is_marketing=False)
    services.suppress(session, brand.id, "ANA@friends.example", "unsubscribed")
    assert send(marketing, receipt).sent == 1
    assert marketing.state == "suppressed"
    assert len(mailserver.mails) == 1


def test_higher_floors_hear_what_became_of_it(
    session: Session, order: Order, send: Send, mailserver: MailServer
) -> None:
    heard: list[object] = []
    before = dict(events._reactions)
    events.wire(
        {
            MessagesSent: [lambda _session, fact: heard.append([sent.address for sent in fact.messages])],
            MessageNotSent: [lambda _session, fact: heard.append((fact.message.address, fact.message.state))],
        }
    )
    mailserver.refuse["gone@friends.example"] = "550 5.1.1 no"
    send(order(), order("gone@friends.example"), order("ben@friends.example"))
    events.wire(before)
    assert heard == [["ana@friends.example", "ben@friends.example"], ("gone@friends.example", "failed")]


def test_due_messages_go_to_the_engine_in_batches_and_others_wait(
    session: Session, order: Order, mailserver: MailServer
) -> None:
    due = [order(f"p{n}@friends.example") for n in range(210)]
    quiet = order(not_before=clock.now() + timedelta(hours=8))
    assert release_due(session, 1000) == 210
    assert {m.state for m in due} == {"queued"}
    assert quiet.state == "waiting"
    assert jobs.count(session)["waiting"] == 2
    assert release_due(session, 1000) == 0


def test_the_engine_prints_them_on_the_console(
    session: Session, order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    message = order()
    release_due(session, 10)
    jobs.drain(session)
    session.refresh(message)
    assert message.state == "sent"
    printed = capsys.readouterr().out
    assert "To: ana@friends.example" in printed
    assert "https://a.example/ask/t" in printed


def test_a_template_that_breaks_holds_up_nobody_else(order: Order, send: Send, mailserver: MailServer) -> None:
    batch = send(order(template="no_such"), order())
    assert (batch.sent, len(batch.later)) == (1, 1)


def test_a_message_that_was_called_back_does_not_leave(
    session: Session, brand: Brand, order: Order, send: Send, mailserver: MailServer
) -> None:
    message = order()
    assert services.cancel(session, brand.id, [message.message_id], "changed our mind") == 1
    assert send(message) == Batch()
    assert services.cancel(session, brand.id, [message.message_id], "again") == 0
    assert session.scalar(sa.select(Message.reason)) == "changed our mind"


def test_a_worker_that_may_be_taken_for_dead_sends_nothing(
    order: Order, send: Send, mailserver: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = order()
    monkeypatch.setattr(pulse, "_until", None)
    pulse.felt(-1.0)
    batch = send(message)
    assert (batch.sent, len(batch.later), len(mailserver.mails)) == (0, 1, 0)
    assert (message.state, message.attempts) == ("waiting", 0)
    pulse.felt(60.0)
    assert send(message).sent == 1


def test_a_batch_with_which_workers_have_died_is_parted(
    session: Session, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [order(f"person{n}@friends.example") for n in range(3)]
    hand_over(session, [message.id for message in messages])
    monkeypatch.setattr("amplify.delivery.jobs.deaths", lambda: DEATHS)
    assert jobs.drain(session, limit=1) == 1
    waiting = [message.release for message in messages]
    assert jobs.count(session)["waiting"] == len(set(waiting)) == 3
    assert {message.state for message in messages} == {"queued"}
