"""Ways to reach somebody that are more than an address: kept sealed, opened for a send, ended when they are dead."""

import json
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.bulk import is_among
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.seal import SealBroken, seal, unseal
from amplify.core.tokens import digest
from amplify.core.webhooks import new_secret
from amplify.delivery.models import Endpoint

# So many failures in a row, over half a day and several messages, end a brand's webhook.
FAILURES = 30
WEBHOOK = "webhook"
Target = Mapping[str, str]


def add(
    session: Session, brand_id: int, channel: str, target: Target, *, unique: str, person: str, shown: str, key: str
) -> Endpoint:
    """This way to reach `person`; given again, it is open again. `unique` tells it from others, `key` seals it."""
    hashed = digest(f"{brand_id}:{channel}:{unique}")
    same = Endpoint.brand_id == brand_id, Endpoint.channel == channel, Endpoint.target_hash == hashed
    found = session.scalar(sa.select(Endpoint).where(*same).with_for_update())
    if found is None:
        found = Endpoint(brand_id=brand_id, channel=channel, target_hash=hashed)
        session.add(found)
    found.person, found.shown, found.made_at = person, shown[:200], clock.now()
    found.sealed = seal(json.dumps(dict(target)), owner=_owner(found), secret_key=key)
    found.ended_at, found.ended_reason, found.failures = None, "", 0
    session.flush()
    return found


def add_webhook(session: Session, brand_id: int, url: str, key: str) -> tuple[Endpoint, str]:
    """The brand's own program at this (checked) address, and the secret that signs what it gets: shown once."""
    secret = new_secret()
    target = {"url": url, "secret": secret}
    shown = urlsplit(url).hostname or ""
    return add(session, brand_id, WEBHOOK, target, unique=url, person="", shown=shown, key=key), secret


def opened(endpoint: Endpoint, key: str) -> Target | None:
    """How it is reached; None if it ended, or was sealed with another key."""
    if not endpoint.is_open:
        return None
    try:
        target: Target = json.loads(unseal(endpoint.sealed, owner=_owner(endpoint), secret_key=key))
    except SealBroken:
        return None
    return target


def of_address(session: Session, address: str) -> Endpoint | None:
    """The endpoint of a message's address, "endpoint:7"."""
    number = _number(address)
    return session.get(Endpoint, number) if number is not None else None


def note_worked(session: Session, addresses: Iterable[str]) -> None:
    """What was sent to these has arrived: failures are counted from nothing again."""
    ours = {number for address in addresses if (number := _number(address)) is not None}
    if ours:
        failing = sa.update(Endpoint).where(is_among(session, Endpoint.id, ours), Endpoint.failures > 0)
        session.execute(failing.values(failures=0).execution_options(synchronize_session=False))


def note_failure(session: Session, address: str) -> None:
    """A send failed for now; a brand's program that fails on and on is left alone until staff looks at it."""
    endpoint = of_address(session, address)
    if endpoint is None:
        return
    session.refresh(endpoint, with_for_update=True)
    endpoint.failures += 1
    if endpoint.failures >= FAILURES and not endpoint.person:
        endpoint.end("failing")


def _number(address: str) -> int | None:
    kind, _, number = address.partition(":")
    return int(number) if kind == "endpoint" and number.isdecimal() else None


def webhooks(session: Session, brand_id: int) -> list[Endpoint]:
    """The brand's own, newest first."""
    own = sa.select(Endpoint).where(Endpoint.brand_id == brand_id, Endpoint.channel == WEBHOOK)
    return list(session.scalars(own.order_by(Endpoint.id.desc())))


def webhook(session: Session, brand_id: int, endpoint_id: int) -> Endpoint:
    """One of them. Raises NotFound."""
    found = session.get(Endpoint, endpoint_id)
    if found is None or found.brand_id != brand_id or found.channel != WEBHOOK:
        raise NotFound(_l("There is no such address."), rule="endpoint-unknown")
    return found


def _owner(endpoint: Endpoint) -> str:
    return f"endpoints:{endpoint.brand_id}:{endpoint.channel}:{endpoint.target_hash}"
