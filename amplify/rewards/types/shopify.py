"""Discount codes at a Shopify shop (shopify.dev, GraphQL Admin API, discountCodeBasicCreate; scope write_discounts).

The code is ours, and the shop takes no idempotency key: so it is asked first whether the code is there. Errors come
with status 200. The discount's title carries our key, which tells ours from somebody else's of the same code.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from amplify.core import clock
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
    Stalled,
    check,
    read,
)
from amplify.rewards.types.generated_code import GeneratedCode, PatternSettings

VERSION = "2026-01"
FIND = """query($code: String!) {
  shop { currencyCode }
  codeDiscountNodeByCode(code: $code) { id codeDiscount { ... on DiscountCodeBasic { title } } }
}"""
CREATE = """mutation($basicCodeDiscount: DiscountCodeBasicInput!) {
  discountCodeBasicCreate(basicCodeDiscount: $basicCodeDiscount) {
    codeDiscountNode { id }
    userErrors { field code message }
  }
}"""


class DiscountSettings(PatternSettings):
    """`item`: percent off; empty: the reward's worth off, in the shop's money."""

    item: str = Field(default="", pattern=r"^([1-9][0-9]?|100)?$")


class Shopify(GeneratedCode):
    """Each can be used once, by one customer, until the reward's last day."""

    name = "shopify"
    label = "Shopify"
    hint = _l("Discount codes in your Shopify shop; give the percent off, or nothing for the worth of the reward.")
    icon = "ticket"
    settings_model: ClassVar[type[BaseModel]] = DiscountSettings
    example: ClassVar[Mapping[str, str]] = {"item": "20"}
    provider = Provider(
        "shopify", "Shopify", "https://your-shop.myshopify.com", (Key("access_token", _l("Admin API access token")),)
    )

    def order(self, counter: Counter, order: Order) -> Ordered:
        try:
            found = _ask(counter, FIND, {"code": order.code})
            if found.get("codeDiscountNodeByCode"):
                return _ours(found["codeDiscountNodeByCode"], order)
            if not order.settings.get("item") and (found.get("shop") or {}).get("currencyCode") != order.currency:
                raise Refused(f"the shop's money is not {order.currency}")
            made = _ask(counter, CREATE, {"basicCodeDiscount": _input(order)}).get("discountCodeBasicCreate") or {}
        except NoAnswer as error:
            raise Later(str(error)) from error
        if errors := made.get("userErrors"):
            if any(error.get("code") == "TAKEN" for error in errors):
                raise Later("the code has just been taken")  # the next look says whether by us
            raise Refused("; ".join(f"{'.'.join(e.get('field') or [])} {e.get('message')}" for e in errors))
        if not made.get("codeDiscountNode"):
            raise Later("the answer of Shopify cannot be read")
        return Ordered(str(made["codeDiscountNode"]["id"]))

    def try_out(self, counter: Counter) -> None:
        _ask(counter, FIND, {"code": NOBODYS})


def _ask(counter: Counter, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    headers = {"X-Shopify-Access-Token": counter.keys["access_token"]}
    body = {"query": query, "variables": variables}
    answer = counter.ask("POST", f"/admin/api/{VERSION}/graphql.json", headers, body)
    check(answer, answer.text)
    said = read(answer)
    if errors := said.get("errors"):
        _raise(errors if isinstance(errors, list) else [{"message": str(errors)}])
    return dict(said.get("data") or {})


def _raise(errors: list[dict[str, Any]]) -> None:
    codes = {(error.get("extensions") or {}).get("code") for error in errors}
    message = "; ".join(str(error.get("message")) for error in errors)
    if "THROTTLED" in codes:
        raise Later(message, retry_after_seconds=2.0)
    if "ACCESS_DENIED" in codes:
        raise Stalled(message)
    raise Refused(message)


def _title(order: Order) -> str:
    return f"{order.name} [{order.key}]"


def _ours(node: Mapping[str, Any], order: Order) -> Ordered:
    if order.key not in str((node.get("codeDiscount") or {}).get("title", "")):
        raise Refused("the shop has another discount with this code")
    return Ordered(str(node["id"]))


def _input(order: Order) -> dict[str, Any]:
    percent = order.settings.get("item")
    amount = {"amount": str(order.amount), "appliesOnEachItem": False}
    value = {"percentage": float(Decimal(percent) / 100)} if percent else {"discountAmount": amount}
    return {
        "title": _title(order),
        "code": order.code,
        "startsAt": clock.now().isoformat(),
        "endsAt": order.expires_at.isoformat() if order.expires_at else None,
        "usageLimit": 1,
        "appliesOncePerCustomer": True,
        "context": {"all": "ALL"},
        "customerGets": {"value": value, "items": {"all": True}},
    }


reward_type = Shopify()
