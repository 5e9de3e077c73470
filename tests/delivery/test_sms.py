"""Text messages: brought to a strict server, refused for good or for now, acknowledged, and stopped by one word."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.settings import Settings
from amplify.core.web import Amplify
from amplify.customers.models import ConsentChange, Customer
from amplify.customers.services import find_or_create
from amplify.delivery.channels.sms import signature
from amplify.delivery.models import Message, Suppression
from amplify.delivery.sending import Batch
from amplify.delivery.services import is_suppressed, suppress
from tests.client import Client
from tests.delivery.receivers import receiving
from tests.delivery.twilio import ACCOUNT, SENDER, TOKEN, Twilio
from tests.world import a_brand

PHONE = "+34600123456"
FACTS = {
    "reward_name": "20 % off", "reward_subject": "You were heard", "reward_text": "", "disclosure": "", "rank": 1,
    "ranked": 9, "reached": None, "code": "SPRING-1", "claim": None, "value_minor": 500, "currency": "USD",
    "expires": "", "landing_url": "https://shop.example/s", "is_test": False,
}  # fmt: skip
Order = Callable[..., Message]
Send = Callable[..., Batch]


@pytest.fixture
def twilio() -> Iterator[Twilio]:
    one = Twilio()
    with receiving(one):
        yield one


@pytest.fixture
def text(order: Order, send: Send, twilio: Twilio) -> Callable[..., Message]:
    """text(phone, ...) orders a reward by text message and sends it."""

    def sent(phone: str = PHONE, account: Mapping[str, str] = ACCOUNT, **more: Any) -> Message:
        message = order(phone, channel="sms", **{"template": "reward", "context": FACTS, **more})
        sent.batch = send(message, **account, twilio_url=twilio.url)  # type: ignore[attr-defined]
        return message

    return sent


@pytest.fixture
def customer(session: Session, brand: Brand) -> Customer:
    made = find_or_create(
        session, brand, external_id="x1", phone="+34 600 12 34 56", sms_consent=True, consent_source="api:1"
    )
    assert made is not None
    return made


@pytest.fixture
def phone_client(app: APIFlask, client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The same, of an installation with an account."""
    monkeypatch.setitem(app.extensions, "amplify", Amplify(settings.model_copy(update=ACCOUNT)))
    return client


def tell(client: Client, form: dict[str, str], query: str = "", token: str = TOKEN, path: str = "sms") -> int:
    """As Twilio does: a form, signed with the address as it knows it."""
    base = "http://localhost"
    address = f"/in/channels/{path}{query}"
    signed = signature(token, f"{base}{address}", {name: [value] for name, value in form.items()})
    return client.post(address, data=form, headers={"X-Twilio-Signature": signed}).status_code


def status(client: Client, message: Message, state: str, **more: str) -> int:
    query = f"?message={quote(message.message_id, safe='')}"
    return tell(client, {"MessageSid": "SM1", "MessageStatus": state, **more}, query)


def test_a_message_leaves_in_few_words_with_its_code_and_the_word_that_ends_it(
    text: Callable[..., Message], twilio: Twilio
) -> None:
    message = text()
    assert message.state == "sent"
    (said,) = twilio.took
    assert (said["To"], said["From"]) == (PHONE, SENDER)
    assert said["Body"] == (
        "Acme: You were heard Use SPRING-1 https://shop.example/s Reply STOP to get no more text messages."
    )
    assert said["StatusCallback"] == f"http://localhost/in/channels/sms?message={quote(message.message_id, safe='')}"


def test_a_messaging_service_is_named_as_such(text: Callable[..., Message], twilio: Twilio) -> None:
    service = "MG" + "0" * 32
    assert text(account=ACCOUNT | {"sms_from": service}).state == "sent"
    assert twilio.took[0]["MessagingServiceSid"] == service


@pytest.mark.parametrize(
    ("phone", "is_dead"), [("+15005550009", True), ("+34600999888", True), ("+34600123456", False)]
)
def test_what_is_refused_for_good_is_not_tried_again_and_only_a_dead_number_is_suppressed(
    session: Session, brand: Brand, text: Callable[..., Message], twilio: Twilio, phone: str, is_dead: bool
) -> None:
    twilio.blocked.add("+34600999888")
    # The last: a country that the account may not write to (21408).
    if not is_dead:
        twilio._faults = lambda said: [(True, 21408, "No permission to send to that region")]  # type: ignore[method-assign]  # of this one
    message = text(phone)
    assert (message.state, message.attempts) == ("failed", 1)
    assert is_suppressed(session, brand.id, phone) is is_dead


def test_a_text_that_is_too_long_is_refused_and_not_cut(text: Callable[..., Message], twilio: Twilio) -> None:
    message = text(context=FACTS | {"reward_subject": "x" * 1600})
    assert (message.state, twilio.heads) == ("failed", [])
    assert "1600 are taken at most" in message.reason


@pytest.mark.parametrize(
    "account",
    [
        ACCOUNT | {"twilio_auth_token": "another"},
        ACCOUNT | {"sms_from": "+14155550199"},
        {"twilio_account_sid": "", "twilio_auth_token": "", "sms_from": ""},
    ],
)
def test_what_is_wrong_with_the_account_costs_no_message_an_attempt(
    text: Callable[..., Message], account: dict[str, str]
) -> None:
    message = text(account=account)
    assert (message.state, message.attempts) == ("waiting", 0)


@pytest.mark.parametrize("code", [429, 500, 503])
def test_what_is_busy_is_asked_again_after_the_time_it_names(
    text: Callable[..., Message], twilio: Twilio, code: int
) -> None:
    twilio.answers = [(code, {"Retry-After": "7"})]
    message = text()
    batch = text.batch  # type: ignore[attr-defined]
    assert (message.state, message.attempts, batch.retry_after_seconds) == ("waiting", 1, 7.0)


def test_what_the_telephone_made_of_it_is_kept_once(
    session: Session, text: Callable[..., Message], phone_client: Client
) -> None:
    message = text()
    for state in ("queued", "sent", "delivered", "delivered", "undelivered"):
        assert status(phone_client, message, state) == 200
    session.refresh(message)
    assert (message.receipt, message.reference, message.state) == ("delivered", "SM1", "sent")


@pytest.mark.parametrize(("code", "is_dead"), [("30003", False), ("30005", True), ("30006", True), ("30007", False)])
def test_what_did_not_arrive_failed_and_a_dead_number_is_left_alone(
    session: Session, brand: Brand, text: Callable[..., Message], phone_client: Client, code: str, is_dead: bool
) -> None:
    message = text()
    assert status(phone_client, message, "undelivered", ErrorCode=code) == 200
    session.refresh(message)
    assert (message.receipt, message.state, message.reason) == ("undelivered", "failed", f"undelivered: {code}")
    assert is_suppressed(session, brand.id, PHONE) is is_dead


@pytest.mark.parametrize("word", ["STOP", "stop", " Stop ", "UNSUBSCRIBE", "REVOKE", "END"])
def test_stop_ends_text_messages_of_every_brand_and_start_begins_again(
    session: Session, brand: Brand, customer: Customer, phone_client: Client, text: Callable[..., Message], word: str
) -> None:
    other = a_brand(session, slug="other")
    for _ in range(2):
        assert tell(phone_client, {"From": PHONE, "To": SENDER, "Body": word}) == 200
    session.refresh(customer)
    assert (customer.sms_consent, customer.sms_consent_source, customer.consent) == (False, "sms:stop", None)
    assert [is_suppressed(session, one.id, PHONE) for one in (brand, other)] == [True, True]
    assert text().reason == "suppressed"
    assert tell(phone_client, {"From": PHONE, "To": SENDER, "Body": "START"}) == 200
    session.refresh(customer)
    assert customer.sms_consent is True
    assert text().state == "sent"
    said = session.scalars(sa.select(ConsentChange.source).order_by(ConsentChange.id)).all()
    assert said == ["api:1", "sms:stop", "sms:start"]


def test_a_word_of_the_brands_own_choice_is_named_by_the_provider(
    session: Session, customer: Customer, phone_client: Client
) -> None:
    assert tell(phone_client, {"From": PHONE, "Body": "Basta ya", "OptOutType": "STOP"}) == 200
    session.refresh(customer)
    assert customer.sms_consent is False


def test_any_other_words_change_nothing(session: Session, customer: Customer, phone_client: Client) -> None:
    assert tell(phone_client, {"From": PHONE, "Body": "Please stop the rain"}) == 200
    session.refresh(customer)
    assert customer.sms_consent is True
    assert session.scalar(sa.select(sa.func.count(Suppression.id))) == 0


def test_who_was_erased_stays_out_whatever_the_telephone_says(
    session: Session, brand: Brand, phone_client: Client
) -> None:
    suppress(session, brand.id, PHONE, "erased")
    session.commit()
    assert tell(phone_client, {"From": PHONE, "Body": "START"}) == 200
    assert is_suppressed(session, brand.id, PHONE)


def test_a_word_that_is_not_signed_by_the_provider_is_refused(
    session: Session, customer: Customer, phone_client: Client
) -> None:
    said = {"From": PHONE, "Body": "STOP"}
    assert tell(phone_client, said, token="a guess") == 401
    assert phone_client.post("/in/channels/sms", data=said).status_code == 401
    assert tell(phone_client, said, path="webpush") == 404
    assert tell(phone_client, said, path="pigeon") == 404
    session.refresh(customer)
    assert customer.sms_consent is True


def test_a_signature_holds_for_one_address_and_one_form_with_the_port_or_without(phone_client: Client) -> None:
    form = {"From": PHONE, "Body": "hello"}
    with_port = signature(TOKEN, "http://localhost:80/in/channels/sms", {name: [v] for name, v in form.items()})
    for path, said, expected in (
        ("/in/channels/sms", form, 200),
        ("/in/channels/sms?x=1", form, 401),
        ("/in/channels/sms", form | {"Body": "STOP"}, 401),
    ):
        answer = phone_client.post(path, data=said, headers={"X-Twilio-Signature": with_port})
        assert answer.status_code == expected


def test_signatures_are_those_of_the_providers_own_library() -> None:
    """Both values were made by RequestValidator of twilio 9.13.0."""
    caller = {"CallSid": ["CA1234567890ABCDE"], "To": ["+18005551212"], "Digits": ["1234"]}
    for number, expected in (
        ("+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
        ("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    ):
        form = {**caller, "From": [number], "Caller": [number]}
        assert signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form) == expected


def test_an_installation_without_an_account_is_told_nothing(client: Client) -> None:
    assert tell(client, {"From": PHONE, "Body": "STOP"}, token="") == 401
