"""When two spellings are one mailbox, and how an address is remembered without being kept."""

import pytest

from amplify.delivery.addresses import fingerprint, normal_form
from amplify.delivery.models import Message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana.Perez@GMail.com", "anaperez@gmail.com"),
        ("anaperez+shop@gmail.com", "ana.perez@googlemail.com"),
        (" Ana@Friends.Example ", "ana@friends.example"),
    ],
)
def test_two_spellings_of_one_mailbox_are_equal(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)
    assert fingerprint(1, one) == fingerprint(1, other)


@pytest.mark.parametrize(("one", "other"), [("a.b@x.example", "ab@x.example"), ("a+b@x.example", "a@x.example")])
def test_no_other_providers_rules_are_guessed(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


def test_two_brands_do_not_share_fingerprints() -> None:
    assert fingerprint(1, "a@x.example") != fingerprint(2, "a@x.example")
    assert "a@x" not in fingerprint(1, "a@x.example")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ann.lee@mail.example", "a…e@mail.example"),
        ("al@mail.example", "a…@mail.example"),
        ("endpoint:7", "endpoint:7"),
        ("+4915112345678", "…78"),
    ],
)
def test_a_list_says_enough_to_tell_addresses_apart_and_not_who_they_are(address: str, shown: str) -> None:
    said = Message(address=address, reason=f"550 <{address}> is full")
    assert (said.shown_to, said.shown_reason) == (shown, f"550 <{shown}> is full")
