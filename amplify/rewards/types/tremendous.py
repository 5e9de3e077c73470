"""Gift cards by Tremendous (developers.tremendous.com): an order per push, claimed by a link that we mail ourselves.

`external_id` makes an order once: the same again is answered with the first one (201), and an order is found by it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from amplify.core.i18n import lazy_gettext as _l
from amplify.core.outgoing import NoAnswer
from amplify.rewards.providers import NOBODYS, Counter, Key, Later, Order, Ordered, Provider, Refused, check, read
from amplify.rewards.types import RewardType


class ProductSettings(BaseModel):
    """`item`: a campaign of the Tremendous account, which says what people may choose from."""

    model_config = ConfigDict(extra="forbid")

    item: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9]+$")


class Tremendous(RewardType):
    """Paid from the account's funding source; the link is money, so it is sealed wherever it rests."""

    name = "tremendous"
    label = "Tremendous"
    hint = _l("Gift cards; give the id of a campaign of your Tremendous account.")
    icon = "gift"
    settings_model: ClassVar[type[BaseModel]] = ProductSettings
    example: ClassVar[Mapping[str, str]] = {"item": "ABCDEF123456"}
    gives_codes = False
    provider = Provider(
        "tremendous",
        "Tremendous",
        "https://testflight.tremendous.com",
        (Key("api_key", _l("API key")), Key("funding_source_id", _l("Funding source"), is_secret=False)),
    )

    def order(self, counter: Counter, order: Order) -> Ordered:
        headers = _headers(counter)
        try:
            answer = counter.ask("POST", "/api/v2/orders", headers, self._body(counter, order))
        except NoAnswer as error:
            if not error.may_have_arrived:
                raise Later(str(error)) from error
            answer = self._again(counter, headers, order)
        check(answer, _message(read(answer)) or answer.text)
        return _made(read(answer).get("order", {}))

    def try_out(self, counter: Counter) -> None:
        answer = counter.ask("GET", f"/api/v2/orders/{NOBODYS}", _headers(counter))
        if answer.status != 404:
            check(answer, _message(read(answer)) or answer.text)

    def _body(self, counter: Counter, order: Order) -> dict[str, Any]:
        return {
            "external_id": order.key,
            "payment": {"funding_source_id": counter.keys["funding_source_id"]},
            "reward": {
                "campaign_id": order.settings["item"],
                "value": {"denomination": float(order.amount), "currency_code": order.currency},
                "delivery": {"method": "LINK"},
                "language": order.locale,
            },
        }

    def _again(self, counter: Counter, headers: Mapping[str, str], order: Order) -> Any:
        """The order that may have been made although no answer came. Raises Later if there is none, or no answer."""
        try:
            answer = counter.ask("GET", f"/api/v2/orders/{order.key}", headers)
        except NoAnswer as error:
            raise Later(str(error)) from error
        if answer.status == 404:
            raise Later("no answer, and no order of this key")
        return answer


def _headers(counter: Counter) -> dict[str, str]:
    return {"Authorization": f"Bearer {counter.keys['api_key']}"}


def _message(body: Mapping[str, Any]) -> str:
    errors = body.get("errors") or {}
    return f"{errors.get('message', '')} {errors.get('payload') or ''}" if isinstance(errors, dict) else str(errors)


def _made(order: Mapping[str, Any]) -> Ordered:
    """The link of the order's one reward. An order that waits for its owner's approval over there has none yet."""
    if order.get("status") == "FAILED":
        raise Refused("the order failed at Tremendous")
    if order.get("status") == "CANCELED":
        raise Refused("the order was cancelled at Tremendous")
    links = [reward.get("delivery", {}).get("link") for reward in order.get("rewards", [])]
    if order.get("status") != "EXECUTED" or not order.get("id") or not links or not links[0]:
        raise Later(f"the order is {order.get('status', 'not readable')} at Tremendous", is_closed=False)
    return Ordered(str(order["id"]), str(links[0]))


reward_type = Tremendous()
