"""What a provider of rewards is, how an order to one looks, and the three ways in which it can come to nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from babel.numbers import get_currency_precision

from amplify.core.outgoing import AddressRefused, Answer, Client

LONGEST_REASON = 300
# A key that no order has: what is asked for when an account is only tried out.
NOBODYS = "amplify0"


class Refused(Exception):
    """The provider will never make this one: an amount out of range, a product that is not there."""


class Later(Exception):
    """Not now: too many requests, a fault over there, no answer. Asking again with the same key is safe."""

    def __init__(self, reason: str, retry_after_seconds: float | None = None, *, is_closed: bool = True) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds
        # Whether the next one would meet the same.
        self.is_closed = is_closed


class Stalled(Exception):
    """Nothing more until somebody acts: the account is empty, or its keys are refused."""


@dataclass(frozen=True)
class Key:
    """One thing a brand says about its account. All of them are sealed; `is_secret` ones are typed unseen."""

    name: str
    label: Any
    is_secret: bool = True


@dataclass(frozen=True)
class Provider:
    """Who makes rewards: its `address` to begin with (a sandbox), what it asks for, and how often it may be asked."""

    name: str
    label: str
    address: str
    keys: tuple[Key, ...]
    seconds_between: float = 0.0


@dataclass(frozen=True)
class Order:
    """What is ordered for one push. `key` is ours, the same in every attempt; money in minor units."""

    key: str
    code: str
    amount_minor: int
    currency: str
    name: str
    locale: str
    settings: Mapping[str, Any]
    expires_at: datetime | None = None

    @property
    def amount(self) -> Decimal:
        """The same in the currency's own unit, exactly."""
        return Decimal(self.amount_minor).scaleb(-get_currency_precision(self.currency))


@dataclass(frozen=True)
class Ordered:
    """What the provider made: its number, and the link or code that is the money (empty where the code is ours)."""

    reference: str
    claim: str = ""


@dataclass(frozen=True)
class Counter:
    """A brand's account with a provider, and the client that calls it: where orders are handed in."""

    client: Client
    address: str
    keys: Mapping[str, str] = field(repr=False)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | bytes | None = None
    ) -> Answer:
        """One request; JSON, unless the body is bytes. Raises NoAnswer; Stalled for an address that we do not call."""
        given = {"Accept": "application/json", **headers}
        if body is not None and not isinstance(body, bytes):
            given["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        try:
            return self.client.request(method, self.address.rstrip("/") + path, body=body, headers=given)
        except AddressRefused as error:
            raise Stalled(str(error)) from error


def check(answer: Answer, said: str) -> None:
    """Whether the provider did it. `said` is what it wrote. Raises Later, Stalled or Refused otherwise."""
    if answer.is_success:
        return
    reason = f"{answer.status} {' '.join(said.split())}"[:LONGEST_REASON]
    if answer.status in (408, 409, 425, 429) or answer.status >= 500:
        raise Later(reason, answer.retry_after_seconds)
    if answer.status in (401, 402, 403):
        raise Stalled(reason)
    raise Refused(reason)


def read(answer: Answer) -> dict[str, Any]:
    """The body as an object; {} for anything else, which `check` and the type then judge."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def quoted(text: str) -> str:
    """A text as one part of an address."""
    return quote(text, safe="")
