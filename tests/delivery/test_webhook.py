"""Messages to the brand's own program: signed as others verify it, again until it is taken, ended if it is dead."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.settings import Settings
from amplify.delivery import endpoints
from amplify.delivery.models import Endpoint, Message
from amplify.delivery.sending import Batch
from tests.delivery.receivers import Program, receiving

Order = Callable[..., Message]
Send = Callable[..., Batch]


@pytest.fixture
def program() -> Iterator[Program]:
    one = Program()
    with receiving(one):
        yield one


@pytest.fixture
def endpoint(session: Session, brand: Brand, settings: Settings, program: Program) -> Endpoint:
    made, program.secret = endpoints.add_webhook(session, brand.id, f"{program.url}/in?key=1", settings.secret)
    return made


@pytest.fixture
def message(order: Order, endpoint: Endpoint) -> Message:
    return order(endpoint.address, channel="webhook")


def test_it_gets_each_message_as_signed_json(message: Message, send: Send, program: Program) -> None:
    assert send(message).sent == 1
    assert program.refused == []
    (said,) = program.took
    assert said["type"] == "message.ask"
    assert said["data"]["link"] == "https://a.example/ask/t"
    assert program.heads[0]["webhook-id"] == message.message_id.strip("<>")


def test_the_address_and_the_secret_are_nowhere_in_the_clear(endpoint: Endpoint, program: Program) -> None:
    assert program.secret not in endpoint.sealed
    assert "key=1" not in f"{endpoint.sealed}{endpoint.shown}"
    assert endpoint.shown == "127.0.0.1"


@pytest.mark.parametrize("status", [500, 503, 429, 400, 302])
def test_what_it_does_not_take_is_brought_again_with_the_same_id(
    message: Message, send: Send, program: Program, status: int
) -> None:
    program.answers = [(status, {"Retry-After": "77"})]
    batch = send(message)
    assert (batch.later, batch.retry_after_seconds) == ([f"HTTP {status}"], 77.0)
    assert send(message).sent == 1
    assert program.heads[0]["webhook-id"] == message.message_id.strip("<>")


def test_gone_ends_the_address(message: Message, endpoint: Endpoint, send: Send, program: Program) -> None:
    program.answers = [(410, {})]
    assert send(message).not_sent == 1
    assert (endpoint.is_open, endpoint.ended_reason, message.state) == (False, "gone", "failed")


def test_one_that_fails_on_and_on_is_left_alone_and_a_success_begins_anew(
    session: Session, message: Message, order: Order, endpoint: Endpoint, send: Send, program: Program
) -> None:
    endpoint.failures = endpoints.FAILURES - 2
    program.answers = [(500, {})]
    send(message)
    assert (endpoint.is_open, endpoint.failures) == (True, endpoints.FAILURES - 1)
    send(message)
    assert endpoint.failures == 0
    endpoint.failures = endpoints.FAILURES - 1
    program.answers = [(500, {})]
    later = order(endpoint.address, channel="webhook")
    send(later)
    assert (endpoint.is_open, endpoint.ended_reason) == (False, "failing")
    assert send(later).not_sent == 1
    assert later.reason == "this address has ended"


def test_an_installation_that_may_not_reach_inside_does_not(message: Message, send: Send, program: Program) -> None:
    assert send(message, outgoing_to_loopback=False).not_sent == 1
    assert program.heads == []
    assert message.state == "failed"
