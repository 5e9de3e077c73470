"""Gift cards by Tango (developers.tangocard.com, RaaS v2): an order per push, one a second, mailed by us.

`externalRefID` makes an order once: the same again is answered with the first one (200 instead of 201).
"""

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from amplify.core.i18n import lazy_gettext as _l
from amplify.core.outgoing import Answer, NoAnswer
from amplify.rewards.providers import (
    NOBODYS,
    Counter,
    Key,
    Later,
    Order,
    Ordered,
    Provider,
    Refused,
    Stalled,
    check,
    quoted,
    read,
)
from amplify.rewards.types import RewardType


class ItemSettings(BaseModel):
    """`item`: the UTID of a product in the account's catalogue."""

    model_config = ConfigDict(extra="forbid")

    item: str = Field(min_length=2, max_length=40, pattern=r"^[A-Za-z0-9]+$")


class Tango(RewardType):
    """Paid from the account at Tango. What it gives (a link, or a code with a PIN) is sealed wherever it rests."""

    name = "tango"
    label = "Tango"
    hint = _l("Gift cards; give the UTID of a product in your Tango catalogue.")
    icon = "gift"
    settings_model: ClassVar[type[BaseModel]] = ItemSettings
    example: ClassVar[Mapping[str, str]] = {"item": "U561593"}
    gives_codes = False
    provider = Provider(
        "tango",
        "Tango",
        "https://integration-api.tangocard.com",
        (
            Key("platform", _l("Platform name"), is_secret=False),
            Key("key", _l("Platform key")),
            Key("customer", _l("Customer identifier"), is_secret=False),
            Key("account", _l("Account identifier"), is_secret=False),
        ),
        seconds_between=1.0,
    )

    def order(self, counter: Counter, order: Order) -> Ordered:
        headers = _headers(counter)
        try:
            answer = counter.ask("POST", "/raas/v2/orders", headers, self._body(counter, order))
            made = read(answer)
        except NoAnswer as error:
            if not error.may_have_arrived:
                raise Later(str(error)) from error
            answer, made = self._again(counter, headers, order)
        _check(answer)
        return _made(made)

    def try_out(self, counter: Counter) -> None:
        _check(counter.ask("GET", f"/raas/v2/orders?externalRefID={NOBODYS}", _headers(counter)))

    def _body(self, counter: Counter, order: Order) -> dict[str, Any]:
        return {
            "externalRefID": order.key,
            "customerIdentifier": counter.keys["customer"],
            "accountIdentifier": counter.keys["account"],
            "utid": order.settings["item"],
            "amount": float(order.amount),
            "sendEmail": False,
        }

    def _again(self, counter: Counter, headers: Mapping[str, str], order: Order) -> tuple[Answer, dict[str, Any]]:
        """The order that may have been made although no answer came. Raises Later if there is none, or no answer."""
        try:
            listed = counter.ask("GET", f"/raas/v2/orders?externalRefID={order.key}", headers)
            _check(listed)
            found = [one.get("referenceOrderID") for one in read(listed).get("orders", [])]
            if not found:
                raise Later("no answer, and no order of this key")
            answer = counter.ask("GET", f"/raas/v2/orders/{quoted(str(found[0]))}", headers)
        except NoAnswer as error:
            raise Later(str(error)) from error
        return answer, read(answer)


def _headers(counter: Counter) -> dict[str, str]:
    login = f"{counter.keys['platform']}:{counter.keys['key']}"
    return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


def _check(answer: Answer) -> None:
    """Tango says 422 for much; that the account is empty stands in the key of the error."""
    told = read(answer).get("errors")
    errors = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    said = "; ".join(f"{one.get('path') or ''} {one.get('message') or one.get('i18nKey') or ''}" for one in errors)
    if not answer.is_success and any("insufficient" in str(one.get("i18nKey", "")).lower() for one in errors):
        raise Stalled(f"{answer.status} {said}")
    check(answer, said or answer.text)


def _made(order: Mapping[str, Any]) -> Ordered:
    """The credentials of a complete order, a line each; a link alone where there is one."""
    given = (order.get("reward") or {}).get("credentials") or {}
    if order.get("status") == "FAILED":
        raise Refused("the order failed at Tango")
    if order.get("status") != "COMPLETE" or not order.get("referenceOrderID") or not given:
        raise Later(f"the order is {order.get('status', 'not readable')} at Tango", is_closed=False)
    links = [str(value) for value in given.values() if str(value).startswith("https://")]
    return Ordered(
        str(order["referenceOrderID"]), links[0] if links else "\n".join(f"{k}: {v}" for k, v in given.items())
    )


reward_type = Tango()
