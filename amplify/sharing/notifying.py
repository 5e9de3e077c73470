"""Notifications in the browser that somebody is sharing from: asked for with a tap, and taken back in the browser."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from amplify.core.errors import Conflict
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.outgoing import Client
from amplify.core.settings import Settings
from amplify.delivery import endpoints, vapid
from amplify.delivery.models import Endpoint
from amplify.sharing.models import Advocate

CHANNEL = "webpush"
Key = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_=-]+$")]


class Keys(BaseModel):
    """The browser's keys (Push API, PushSubscription)."""

    p256dh: Key
    auth: Key


class Subscription(BaseModel):
    """What a browser says of its subscription; more than this (an expiry) it may say."""

    model_config = ConfigDict(extra="ignore")

    endpoint: str = Field(min_length=1, max_length=2000)
    keys: Keys


def public_key(settings: Settings) -> str:
    """What a browser subscribes with."""
    return vapid.keys(settings.secret).public


def subscribe(session: Session, advocate: Advocate, told: Subscription, settings: Settings) -> Endpoint:
    """Bring this person's rewards to this browser, too. Raises Invalid("endpoint") for one that we would not call,
    Invalid("keys") for keys that are none, Conflict for somebody who was erased."""
    if advocate.customer is None or advocate.customer.erased_at is not None:
        raise Conflict(_l("There is nobody to tell any more."), field="endpoint", rule="erased")
    Client.of(settings).check("endpoint", told.endpoint)
    vapid.check("keys", told.keys.p256dh, told.keys.auth)
    target = {"endpoint": told.endpoint, "p256dh": told.keys.p256dh, "auth": told.keys.auth}
    return endpoints.add(
        session,
        advocate.brand_id,
        CHANNEL,
        target,
        unique=told.endpoint,
        person=advocate.customer.person,
        shown=urlsplit(told.endpoint).hostname or "",
        key=settings.secret,
    )
