"""By which ways a brand reaches people: changed on the page or by the command, and noted in the audit log."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.accounts.models import User
from amplify.brands.models import Brand
from amplify.brands.policy import change_policy
from amplify.core.errors import Conflict, Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.outgoing import Client
from amplify.core.settings import Settings
from amplify.delivery import endpoints
from amplify.delivery.channel import ways
from amplify.delivery.models import Endpoint
from amplify.delivery.services import queue_message

MOST_PER_MINUTE = 1_000_000
TEST = "channel_test"


def change(
    session: Session,
    brand: Brand,
    actor: str,
    *,
    order: Sequence[str],
    per_minute: Mapping[str, int],
    pacing: Mapping[str, int] | None = None,
    can_sms: bool = False,
) -> None:
    """The ways, first the first; at most so many a minute by each (0: no limit); quiet hours and contact cap.

    `can_sms`: this installation has an account for text messages; without one they are not turned on.

    Raises Invalid("order"), Invalid("per_minute") or what `change_policy` refuses.
    """
    if not order or not set(order) <= set(ways()) or len(set(order)) != len(order):
        raise Invalid("order", "ways", _l("Name at least one way, and each of them once."))
    if "sms" in order and "sms" not in brand.channel_order and not can_sms:
        raise Invalid("order", "no-account", _l("Whoever runs this installation has set no account for text messages."))
    if not set(per_minute) <= set(ways()) or not all(0 <= n <= MOST_PER_MINUTE for n in per_minute.values()):
        message = _l("The value lies between %(low)s and %(high)s.", low=0, high=MOST_PER_MINUTE)
        raise Invalid("per_minute", "range", message)
    detail: dict[str, Any] = dict(change_policy(session, brand, dict(pacing or {})))
    limits = {way: n for way, n in per_minute.items() if n}
    for name, value in (("channel_order", list(order)), ("per_minute", limits)):
        if getattr(brand, name) != value:
            detail[name] = [getattr(brand, name), value]
            setattr(brand, name, value)
    if detail:
        told = {name: {"before": before, "after": after} for name, (before, after) in detail.items()}
        audit.record(session, brand.id, actor, "channels.changed", "brand", brand.slug, told)
    session.flush()


def add_program(session: Session, brand: Brand, url: str, settings: Settings, actor: str) -> tuple[Endpoint, str]:
    """Bring the brand's messages to its own program, too; the secret that signs them is shown once.

    Raises Invalid("url") for an address that we would not call. Added again, it is used again, with a new secret.
    """
    Client.of(settings).check("url", url)
    endpoint, secret = endpoints.add_webhook(session, brand.id, url, settings.secret)
    audit.record(session, brand.id, actor, "webhook.added", "endpoint", endpoint.id, {"host": endpoint.shown})
    return endpoint, secret


def remove_program(session: Session, brand_id: int, endpoint_id: int, actor: str) -> None:
    """Send it nothing more. Raises NotFound."""
    endpoint = endpoints.webhook(session, brand_id, endpoint_id)
    if endpoint.is_open:
        endpoint.end("removed")
        audit.record(session, brand_id, actor, "webhook.removed", "endpoint", endpoint.id, {"host": endpoint.shown})


def send_test(session: Session, user: User, channel: str) -> int:
    """A message to oneself: to one's own mailbox, or to the brand's own programs; how many leave.

    Raises Invalid("channel"), Conflict("no-endpoint").
    """
    addresses = [user.email] if channel == "email" else _programs(session, user.brand_id)
    if channel not in ("email", endpoints.WEBHOOK):
        raise Invalid("channel", "test", _l("A test goes by mail or to your own program."))
    if not addresses:
        raise Conflict(_l("Your brand has no program of its own yet."), field="channel", rule="no-endpoint")
    said = {"name": user.name, "label": str(ways()[channel])}
    for address in addresses:
        queue_message(
            session, user.brand, template=TEST, channel=channel, address=address, locale=user.locale, context=said,
            is_marketing=False,
        )  # fmt: skip
    actor = f"user:{user.id}"
    audit.record(session, user.brand_id, actor, "channel.tested", "brand", user.brand.slug, {"channel": channel})
    return len(addresses)


def _programs(session: Session, brand_id: int) -> list[str]:
    return [one.address for one in endpoints.webhooks(session, brand_id) if one.is_open]
