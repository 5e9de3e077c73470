"""Signed postbacks: what a Standard Webhooks sender signs is taken; anything changed in it is not."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy.orm import Session
from standardwebhooks.webhooks import Webhook

from amplify.accounts import signing
from amplify.accounts.models import SigningKey
from amplify.brands.models import Brand
from amplify.core.errors import Conflict, Invalid, Unauthorized
from tests.world import a_brand

SEAL = "the key that seals the secrets at rest"
BODY = b'{"order_id": "1001", "amount_minor": 4990, "currency": "EUR"}'
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session)


@pytest.fixture
def key(session: Session, brand: Brand) -> tuple[SigningKey, str]:
    return signing.create_signing_key(session, brand, key="shop", name="Shop", secret_key=SEAL, actor="system")


def signed(secret: str, body: bytes = BODY, at: datetime = NOW) -> dict[str, str]:
    """Signed by the Standard Webhooks library, which is not ours."""
    signature = Webhook(secret).sign("msg_1", at, body.decode())
    stamp = str(int(at.timestamp()))
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signature}


def verify(session: Session, brand: Brand, headers: dict[str, str], body: bytes = BODY) -> SigningKey:
    with time_machine.travel(NOW, tick=False):
        return signing.verify_signed(session, brand, "shop", headers, body, SEAL)


def test_what_the_library_signs_is_taken(session: Session, brand: Brand, key: tuple[SigningKey, str]) -> None:
    assert verify(session, brand, signed(key[1])) is key[0]


def test_every_changed_byte_is_refused(session: Session, brand: Brand, key: tuple[SigningKey, str]) -> None:
    headers = signed(key[1])
    for at in range(len(BODY)):
        changed = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
        with pytest.raises(Unauthorized):
            verify(session, brand, headers, changed)
    for name, value in headers.items():
        for at in range(len(value)):
            other = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
            with pytest.raises(Unauthorized):
                verify(session, brand, {**headers, name: other})


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, "", " ", "v1", "v1,", ",", "é", "-1", "1e9", "0" * 40, "v1,%%%"])
def test_a_broken_header_is_refused(
    session: Session, brand: Brand, key: tuple[SigningKey, str], name: str, value: str | None
) -> None:
    headers = signed(key[1])
    headers.pop(name) if value is None else headers.update({name: value})
    with pytest.raises(Unauthorized):
        verify(session, brand, headers)


@pytest.mark.parametrize(("seconds", "taken"), [(0, True), (299, True), (301, False), (-299, True), (-301, False)])
def test_a_message_is_good_for_five_minutes(
    session: Session, brand: Brand, key: tuple[SigningKey, str], seconds: int, taken: bool
) -> None:
    headers = signed(key[1], at=NOW - timedelta(seconds=seconds))
    if taken:
        assert verify(session, brand, headers)
    else:
        with pytest.raises(Unauthorized):
            verify(session, brand, headers)


def test_two_spellings_of_one_signature_are_not_the_same(
    session: Session, brand: Brand, key: tuple[SigningKey, str]
) -> None:
    headers = signed(key[1])
    with pytest.raises(Unauthorized):
        verify(session, brand, {**headers, "webhook-signature": headers["webhook-signature"].replace("=", "") + "=="})
    version, value = headers["webhook-signature"].split(",")
    with pytest.raises(Unauthorized):
        verify(session, brand, {**headers, "webhook-signature": f"{version},{value[:4]}\n{value[4:]}"})


def test_a_rotated_secret_and_the_one_before_are_both_good_and_the_oldest_is_not(
    session: Session, brand: Brand, key: tuple[SigningKey, str]
) -> None:
    row, first = key
    second = signing.rotate_signing_key(session, row, secret_key=SEAL, actor="system")
    assert verify(session, brand, signed(first))
    assert verify(session, brand, signed(second))
    third = signing.rotate_signing_key(session, row, secret_key=SEAL, actor="system")
    assert verify(session, brand, signed(third))
    with pytest.raises(Unauthorized):
        verify(session, brand, signed(first))


def test_both_signatures_of_a_rotating_sender_are_read(
    session: Session, brand: Brand, key: tuple[SigningKey, str]
) -> None:
    headers = signed(key[1])
    stranger = signed("whsec_" + "QUJD" * 8)["webhook-signature"]
    both = f"{stranger} {headers['webhook-signature']}"
    assert verify(session, brand, {**headers, "webhook-signature": both})


def test_a_key_of_another_brand_or_source_does_not_fit(
    session: Session, brand: Brand, key: tuple[SigningKey, str]
) -> None:
    other = a_brand(session, "other")
    _row, secret = signing.create_signing_key(session, other, key="shop", name="Shop", secret_key=SEAL, actor="system")
    with pytest.raises(Unauthorized):
        verify(session, brand, signed(secret))
    assert verify(session, other, signed(secret))


def test_a_disabled_key_is_refused(session: Session, brand: Brand, key: tuple[SigningKey, str]) -> None:
    signing.disable_signing_key(session, key[0], "system")
    with pytest.raises(Unauthorized):
        verify(session, brand, signed(key[1]))


def test_the_secret_is_sealed_at_rest(key: tuple[SigningKey, str]) -> None:
    row, secret = key
    assert secret.removeprefix("whsec_") not in row.sealed_secret


def test_a_name_is_a_slug_and_taken_once(session: Session, brand: Brand, key: tuple[SigningKey, str]) -> None:
    with pytest.raises(Conflict):
        signing.create_signing_key(session, brand, key="shop", name="", secret_key=SEAL, actor="system")
    with pytest.raises(Invalid):
        signing.create_signing_key(session, brand, key="The Shop", name="", secret_key=SEAL, actor="system")
