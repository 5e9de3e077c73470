"""Telephone numbers: one form for each, and none guessed."""

import pytest

from amplify.core.errors import Invalid
from amplify.delivery.addresses import fingerprint
from amplify.delivery.phones import check, is_phone


@pytest.mark.parametrize("text", ["+34600123456", "+34 600 12 34 56", "+34 (600) 123-456", "+34600123456 "])
def test_one_number_has_one_form(text: str) -> None:
    assert check("phone", text) == "+34600123456"


@pytest.mark.parametrize(
    "text", ["", "600123456", "+", "+34", "+34 600", "ana", "+999600123456", "+34600123456 ext. 5"]
)
def test_what_is_no_number_or_does_not_say_its_country_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        check("phone", text)
    assert refused.value.rule == "phone"


def test_a_number_is_told_from_a_mailbox_and_has_a_fingerprint_per_brand() -> None:
    assert [is_phone(one) for one in ("+34600123456", "ana@x.example", "+tag@x.example", "endpoint:7", "")] == [
        True, False, False, False, False,
    ]  # fmt: skip
    assert fingerprint(1, "+34600123456") != fingerprint(2, "+34600123456")
