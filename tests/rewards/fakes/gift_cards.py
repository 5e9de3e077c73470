"""Tremendous and Tango as their documentation says they answer: bad keys, unknown fields, amounts, money, funds, keys
that come twice."""

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.rewards.fakes.server import Asked, Fake, Says, only


@dataclass
class FakeTremendous(Fake):
    """developers.tremendous.com/reference/create-order, .../error-handling."""

    key: str = "TEST_key"
    funding_source: str = "BALANCE"
    campaign: str = "ABCDEF123456"
    currency: str = "USD"
    funds: float = 1_000.0
    span: tuple[float, float] = (1.0, 2_000.0)
    status: str = "EXECUTED"

    def answer(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != f"Bearer {self.key}":
            raise Says(401, {"errors": {"message": "Unauthorized", "payload": {}}})
        if asked.method == "GET" and (found := re.fullmatch(r"/api/v2/orders/(\w+)", asked.path)):
            if found[1] not in self.made:
                raise Says(404, {"errors": {"message": "Order not found"}})
            raise Says(200, {"order": self.made[found[1]]})
        if (asked.method, asked.path) != ("POST", "/api/v2/orders"):
            raise Says(404, {"errors": {"message": "no such route"}})
        self._create(asked.json())

    def _create(self, body: Any) -> None:
        only(body, {"external_id", "payment", "reward"})
        if body["external_id"] in self.made:
            raise Says(201, {"order": self.made[body["external_id"]]})
        only(body["payment"], {"funding_source_id"}, "payment.")
        only(body["reward"], {"campaign_id", "products", "value", "delivery", "language", "recipient"}, "reward.")
        only(body["reward"]["value"], {"denomination", "currency_code"}, "reward.value.")
        if body["payment"]["funding_source_id"] != self.funding_source:
            self._refuse({"payment": {"funding_source_id": "not found"}})
        if body["reward"].get("campaign_id") != self.campaign:
            self._refuse({"reward": {"campaign_id": "not found"}})
        if body["reward"]["delivery"] != {"method": "LINK"}:
            self._refuse({"reward": {"delivery": "not possible without a recipient"}})
        value = body["reward"]["value"]
        if value["currency_code"] != self.currency:
            self._refuse({"reward": {"value": {"currency_code": "is not supported by the products"}}})
        if not self.span[0] <= value["denomination"] <= self.span[1]:
            self._refuse({"reward": {"value": {"denomination": "is out of range"}}})
        if value["denomination"] > self.funds:
            raise Says(402, {"errors": {"message": "Insufficient funds", "payload": {}}})
        self.funds -= value["denomination"]
        number = len(self.made) + 1
        link = f"https://testflight.tremendous.example/rewards/payout/secret{number}"
        self.made[body["external_id"]] = {
            "id": f"ORDER{number}", "external_id": body["external_id"], "status": self.status,
            "rewards": [{"id": f"R{number}", "value": value, "delivery": {"method": "LINK", "link": link}}],
        }  # fmt: skip
        raise Says(200, {"order": self.made[body["external_id"]]})

    def _refuse(self, payload: dict[str, Any]) -> None:
        raise Says(400, {"errors": {"message": "Order failed: validation failure", "payload": payload}})


@dataclass
class FakeTango(Fake):
    """developers.tangocard.com/docs/create-an-order-under-a-specific-account."""

    login: str = "QAPlatform:secret"
    customer: str = "G12345"
    account: str = "A67890"
    items: dict[str, tuple[float, float]] = field(default_factory=lambda: {"U561593": (1.0, 500.0)})
    funds: float = 1_000.0
    status: str = "COMPLETE"

    def answer(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != "Basic " + base64.b64encode(self.login.encode()).decode():
            raise Says(401, self._errors(("", "unauthorized", "Bad credentials")))
        if asked.method == "GET" and asked.path == "/raas/v2/orders":
            found = [o for key, o in self.made.items() if key == asked.query.get("externalRefID")]
            raise Says(200, {"page": {}, "orders": [{k: v for k, v in o.items() if k != "reward"} for o in found]})
        if asked.method == "GET" and asked.path.startswith("/raas/v2/orders/"):
            found = [o for o in self.made.values() if o["referenceOrderID"] == asked.path.rpartition("/")[2]]
            raise Says(200, found[0]) if found else Says(404, self._errors(("", "notFound", "Not found")))
        if (asked.method, asked.path) != ("POST", "/raas/v2/orders"):
            raise Says(404, self._errors(("", "notFound", "Not found")))
        self._create(json.loads(asked.body))

    def _create(self, body: Any) -> None:
        known = {"externalRefID", "customerIdentifier", "accountIdentifier", "utid", "amount", "sendEmail"}
        for name in sorted(set(body) ^ known):
            self._refuse(name, "unknownOrMissing")
        key = body["externalRefID"]
        if not re.fullmatch(r"[A-Za-z0-9]{1,100}", key):
            self._refuse("externalRefID", "alphanumeric")
        if key in self.made:
            raise Says(200, self.made[key])
        for name, own in (("customerIdentifier", self.customer), ("accountIdentifier", self.account)):
            if body[name] != own:
                self._refuse(name, "notFound")
        if body["utid"] not in self.items:
            self._refuse("utid", "utidNotInCatalog")
        least, most = self.items[body["utid"]]
        if not least <= body["amount"] <= most:
            self._refuse("amount", "amountOutOfRange")
        if body["amount"] > self.funds:
            self._refuse("accountIdentifier", "accountInsufficientFunds")
        self.funds -= body["amount"]
        number = len(self.made) + 1
        self.made[key] = {
            "referenceOrderID": f"RA26-{number}", "externalRefID": key, "status": self.status,
            "reward": {"credentials": {"Redemption URL": f"https://sandbox.tango.example/r/secret{number}"}},
        }  # fmt: skip
        raise Says(201, self.made[key])

    def _refuse(self, path: str, key: str) -> None:
        raise Says(422, self._errors((path, key, f"{path} {key}")))

    def _errors(self, *errors: tuple[str, str, str]) -> dict[str, Any]:
        return {"errors": [{"path": path, "i18nKey": key, "message": message} for path, key, message in errors]}
