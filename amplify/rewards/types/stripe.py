"""Discount codes at Stripe: a promotion code of an existing coupon for each push (docs.stripe.com/api/promotion_codes).

The code is ours, so that a redemption is found by it; `Idempotency-Key` makes it once, and after Stripe has forgotten
that key, the code itself, which carries our key in its metadata.
"""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import BaseModel, Field, field_validator

from amplify.core.i18n import lazy_gettext as _l
from amplify.core.outgoing import NoAnswer
from amplify.rewards.providers import (
    NOBODYS,
    Counter,
    Key,
    Later,
    Order,
    Ordered,
    Provider,
    Refused,
    check,
    quoted,
    read,
)
from amplify.rewards.types.generated_code import GeneratedCode, PatternSettings

VERSION = "2025-11-17.clover"  # since 2025-09-30 the coupon stands below `promotion`
DEFAULT_PATTERN = "THANKS########"


class CouponSettings(PatternSettings):
    """`item`: the coupon's id at Stripe. `pattern`: letters and digits only, which is all that Stripe takes."""

    pattern: str = DEFAULT_PATTERN
    item: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")

    @field_validator("pattern")
    @classmethod
    def _plain(cls, text: str) -> str:
        if not text.replace("#", "").isalnum():
            raise ValueError("Stripe takes letters and digits only")
        return text


class Stripe(GeneratedCode):
    """Each can be used once, until the reward's last day."""

    name = "stripe"
    label = "Stripe"
    hint = _l("Discount codes of a coupon in your Stripe account; give the coupon's id, and a pattern without dashes.")
    icon = "ticket"
    settings_model: ClassVar[type[BaseModel]] = CouponSettings
    example: ClassVar[Mapping[str, str]] = {"item": "SPRING20", "pattern": DEFAULT_PATTERN}
    provider = Provider("stripe", "Stripe", "https://api.stripe.com", (Key("secret_key", _l("Secret key")),))

    def order(self, counter: Counter, order: Order) -> Ordered:
        headers = _headers(counter)
        form = {"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": order.key}
        try:
            answer = counter.ask("POST", "/v1/promotion_codes", headers | form, _body(order))
            said = _error(read(answer))
            if answer.status == 400 and "already exists" in said:
                return self._known(counter, headers, order, said)
        except NoAnswer as error:
            raise Later(str(error)) from error
        check(answer, said or answer.text)
        return _made(read(answer))

    def try_out(self, counter: Counter) -> None:
        answer = counter.ask("GET", f"/v1/promotion_codes?code={NOBODYS}", _headers(counter))
        check(answer, _error(read(answer)) or answer.text)

    def _known(self, counter: Counter, headers: Mapping[str, str], order: Order, said: str) -> Ordered:
        """The code that is there already, if it is the one we made. Raises Refused if it is somebody else's."""
        answer = counter.ask("GET", f"/v1/promotion_codes?code={quoted(order.code)}", headers)
        check(answer, _error(read(answer)) or answer.text)
        for found in read(answer).get("data", []):
            if (found.get("metadata") or {}).get("amplify") == order.key:
                return _made(found)
        raise Refused(said)


def _headers(counter: Counter) -> dict[str, str]:
    return {"Authorization": f"Bearer {counter.keys['secret_key']}", "Stripe-Version": VERSION}


def _body(order: Order) -> bytes:
    body: dict[str, Any] = {
        "promotion[type]": "coupon",
        "promotion[coupon]": order.settings["item"],
        "code": order.code,
        "max_redemptions": 1,
        "metadata[amplify]": order.key,
    }
    if order.expires_at is not None:
        body["expires_at"] = int(order.expires_at.timestamp())
    return urlencode(body).encode()


def _error(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    return f"{error.get('code') or error.get('type') or ''} {error.get('message') or ''}" if error else ""


def _made(code: Mapping[str, Any]) -> Ordered:
    if not code.get("id"):
        raise Later("the answer of Stripe cannot be read")
    return Ordered(str(code["id"]))


reward_type = Stripe()
