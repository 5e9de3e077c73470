"""Stripe and Shopify as their documentation says they answer, as far as discount codes go."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.rewards.fakes.server import Asked, Fake, Says


@dataclass
class FakeStripe(Fake):
    """docs.stripe.com/api/promotion_codes/create; the first answer to an Idempotency-Key is its answer for ever."""

    key: str = "sk_test_1"
    coupons: tuple[str, ...] = ("SPRING20",)
    answers: dict[str, tuple[bytes, Says]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != f"Bearer {self.key}":
            raise Says(401, self._error("invalid_request_error", "Invalid API Key provided"))
        if asked.path != "/v1/promotion_codes":
            raise Says(404, self._error("invalid_request_error", "Unrecognized request URL"))
        if asked.method == "GET":
            found = [one for one in self.made.values() if one["code"] == asked.query.get("code")]
            raise Says(200, {"object": "list", "data": found})
        self._create_once(asked)

    def _create_once(self, asked: Asked) -> None:
        key = asked.headers["idempotency-key"]
        if key in self.answers:
            body, said = self.answers[key]
            raise said if body == asked.body else Says(400, self._error("idempotency_error", "another body"))
        try:
            self._create(dict(parse_qsl(asked.body.decode(), strict_parsing=True)))
        except Says as said:
            self.answers[key] = asked.body, said
            raise

    def _create(self, form: dict[str, str]) -> None:
        known = {"promotion[type]", "promotion[coupon]", "code", "max_redemptions", "expires_at", "metadata[amplify]"}
        if unknown := sorted(set(form) - known):
            raise Says(400, self._error("parameter_unknown", f"Received unknown parameter: {unknown[0]}"))
        if form["promotion[type]"] != "coupon" or form["promotion[coupon]"] not in self.coupons:
            raise Says(400, self._error("resource_missing", f"No such coupon: '{form['promotion[coupon]']}'"))
        if not re.fullmatch(r"[A-Za-z0-9]{1,500}", form["code"]):
            raise Says(400, self._error("parameter_invalid_string", "code: letters and digits only"))
        if any(one["code"].lower() == form["code"].lower() for one in self.made.values()):
            message = f"An active promotion code with `code: {form['code']}` already exists."
            raise Says(400, self._error("resource_already_exists", message))
        number = f"promo_{len(self.made) + 1}"
        self.made[number] = {"id": number, "code": form["code"], "metadata": {"amplify": form["metadata[amplify]"]}}
        raise Says(200, self.made[number])

    def _error(self, code: str, message: str) -> dict[str, Any]:
        return {"error": {"type": "invalid_request_error", "code": code, "message": message}}


@dataclass
class FakeShopify(Fake):
    """shopify.dev, GraphQL Admin API: errors come with status 200."""

    token: str = "shpat_1"
    currency: str = "USD"
    scopes: tuple[str, ...] = ("write_discounts",)
    throttled: int = 0

    def answer(self, asked: Asked) -> None:
        if asked.headers.get("x-shopify-access-token") != self.token:
            raise Says(401, {"errors": "[API] Invalid API key or access token"})
        if not re.fullmatch(r"/admin/api/20\d\d-(01|04|07|10)/graphql\.json", asked.path):
            raise Says(404, {"errors": "Not Found"})
        if self.throttled:
            self.throttled -= 1
            raise Says(200, {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]})
        body = asked.json()
        if "discountCodeBasicCreate" in body["query"]:
            self._create(body["variables"]["basicCodeDiscount"])
        node = self.made.get(body["variables"]["code"].lower())
        raise Says(200, {"data": {"shop": {"currencyCode": self.currency}, "codeDiscountNodeByCode": node}})

    def _create(self, given: dict[str, Any]) -> None:
        if "write_discounts" not in self.scopes:
            error = {
                "message": "Access denied for discountCodeBasicCreate field.",
                "extensions": {"code": "ACCESS_DENIED"},
            }
            raise Says(200, {"errors": [error]})
        known = {
            "title", "code", "startsAt", "endsAt", "usageLimit", "appliesOncePerCustomer", "context", "customerGets",
        }  # fmt: skip
        if unknown := sorted(set(given) - known):
            raise Says(200, {"errors": [{"message": f"Field is not defined on DiscountCodeBasicInput: {unknown[0]}"}]})
        value = given["customerGets"]["value"]
        if "percentage" in value and not 0 < value["percentage"] <= 1:
            self._refuse("customerGets", "INCLUSION", "Value must be between 0.0 and 1.0")
        if "discountAmount" in value and float(value["discountAmount"]["amount"]) <= 0:
            self._refuse("customerGets", "GREATER_THAN", "Amount must be greater than 0")
        if given["code"].lower() in self.made:
            self._refuse("code", "TAKEN", "Code must be unique. Please try a different code.")
        number = f"gid://shopify/DiscountCodeNode/{len(self.made) + 1}"
        self.made[given["code"].lower()] = {"id": number, "codeDiscount": {"title": given["title"]}}
        done = {"codeDiscountNode": {"id": number}, "userErrors": []}
        raise Says(200, {"data": {"discountCodeBasicCreate": done}})

    def _refuse(self, name: str, code: str, message: str) -> None:
        errors = [{"field": ["basicCodeDiscount", name], "code": code, "message": message}]
        raise Says(200, {"data": {"discountCodeBasicCreate": {"codeDiscountNode": None, "userErrors": errors}}})
