"""A shop for tests: it signs what it tells, by the Standard Webhooks rules."""

import json
import uuid
from typing import Any

from werkzeug.test import TestResponse

from amplify.accounts.services import create_signing_key
from amplify.accounts.signing import signature
from amplify.core import clock
from amplify.core.settings import Settings
from tests.client import Client
from tests.tracking.world import NOON, World


class Shop:
    """A shop that signs what it tells."""

    def __init__(self, world: World, client: Client, settings: Settings, *, now: bool = False) -> None:
        """`now`: its clock is ours; else it is noon."""
        self.world, self.client, self.now = world, client, now
        secret_key = settings.secret
        made = create_signing_key(
            world.session, world.brand, key="shop", name="Shop", secret_key=secret_key, actor="system"
        )
        self.secret = made[1]

    def tell(self, kind: str, body: Any, *, secret: str = "", brand: str = "acme") -> TestResponse:
        """One postback."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        stamp = str(int((clock.now() if self.now else NOON).timestamp()))
        headers = {
            "webhook-id": f"msg_{uuid.uuid4()}",
            "webhook-timestamp": stamp,
            "Content-Type": "application/json",
        }
        headers["webhook-signature"] = signature(secret or self.secret, headers["webhook-id"], stamp, raw)
        return self.client.post(f"/in/{brand}/shop/{kind}", data=raw, headers=headers)

    def order(self, order_id: str = "A-1", **changes: Any) -> TestResponse:
        body = {
            "order_id": order_id, "amount_minor": 5000, "currency": "EUR", "occurred_at": NOON.isoformat(), **changes
        }  # fmt: skip
        return self.tell("conversions", body)

    def refund(self, refund_id: str = "R-1", **changes: Any) -> TestResponse:
        body = {
            "refund_id": refund_id, "order_id": "A-1", "amount_minor": 5000, "currency": "EUR",
            "occurred_at": NOON.isoformat(), **changes,
        }  # fmt: skip
        return self.tell("refunds", body)
