"""Notifications in browsers, over a push service that decrypts with the browser's key and verifies our signature."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.settings import Settings
from amplify.delivery import endpoints, vapid
from amplify.delivery.models import Endpoint, Message
from amplify.delivery.sending import Batch
from tests.delivery.receivers import PushService, receiving

Order = Callable[..., Message]
Send = Callable[..., Batch]


@pytest.fixture
def service(settings: Settings) -> Iterator[PushService]:
    one = PushService(vapid.keys(settings.secret).public)
    with receiving(one):
        yield one


@pytest.fixture
def endpoint(session: Session, brand: Brand, settings: Settings, service: PushService) -> Endpoint:
    told = service.subscription
    said = {"unique": told["endpoint"], "person": "customer:1", "shown": "127.0.0.1", "key": settings.secret}
    return endpoints.add(session, brand.id, "webpush", told, **said)


@pytest.fixture
def message(order: Order, endpoint: Endpoint) -> Message:
    return order(endpoint.address, channel="webpush")


def test_the_browser_reads_what_we_wrote(message: Message, send: Send, service: PushService) -> None:
    assert send(message).sent == 1
    assert service.refused == []
    (said,) = service.took
    assert said["title"] == "Acme"
    assert said["body"] == "Your words about Acme are worth sharing"
    assert said["url"] == "https://a.example/ask/t"


def test_copies_of_a_message_take_each_others_place(message: Message, send: Send, service: PushService) -> None:
    send(message)
    message.state = "queued"
    send(message)
    assert service.heads[0]["topic"] == service.heads[1]["topic"]
    assert len({head["authorization"] for head in service.heads}) == 2


@pytest.mark.parametrize("status", [404, 410])
def test_a_subscription_that_ended_is_never_used_again(
    message: Message, endpoint: Endpoint, send: Send, service: PushService, status: int
) -> None:
    service.answers = [(status, {})]
    assert send(message).not_sent == 1
    assert (message.state, endpoint.ended_reason, endpoint.is_open) == ("failed", "gone", False)


def test_another_secret_makes_another_pair_and_the_old_subscription_ends(
    message: Message, endpoint: Endpoint, send: Send, service: PushService
) -> None:
    service.public = vapid.keys("another secret").public
    assert send(message).not_sent == 1
    assert not endpoint.is_open


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_service_is_asked_again_when_it_says(
    message: Message, endpoint: Endpoint, send: Send, service: PushService, status: int
) -> None:
    service.answers = [(status, {"Retry-After": "120"})]
    assert send(message).retry_after_seconds == 120.0
    assert endpoint.is_open
    assert send(message).sent == 1


def test_too_long_for_the_service_is_never_tried_again(message: Message, send: Send, service: PushService) -> None:
    service.answers = [(413, {})]
    assert send(message).not_sent == 1


def test_the_pair_of_an_installation_is_always_the_same() -> None:
    assert vapid.keys("one").public == vapid.keys.__wrapped__("one").public
    assert vapid.keys("one").public != vapid.keys("two").public


@pytest.mark.parametrize(("p256dh", "auth"), [("", "AAAA"), ("AAAA", "AAAA"), ("!!", "AAAA")])
def test_keys_that_are_none_end_the_subscription(
    session: Session, brand: Brand, settings: Settings, order: Order, send: Send, p256dh: str, auth: str
) -> None:
    told = {"endpoint": "http://127.0.0.1:9/", "p256dh": p256dh, "auth": auth}
    said = {"unique": "x", "person": "customer:1", "shown": "", "key": settings.secret}
    endpoint = endpoints.add(session, brand.id, "webpush", told, **said)
    assert send(order(endpoint.address, channel="webpush")).not_sent == 1
    assert not endpoint.is_open
