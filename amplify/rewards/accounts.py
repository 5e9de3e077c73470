"""A brand's accounts with providers of rewards: given by an admin, sealed, and never shown again."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.core import clock
from amplify.core.errors import Invalid, NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.outgoing import Client
from amplify.core.seal import SealBroken
from amplify.rewards.claims import seal_keys, unseal_keys
from amplify.rewards.models import ProviderAccount
from amplify.rewards.providers import Counter, Provider, Stalled
from amplify.rewards.types import RewardType, registry

LONGEST_KEY = 500


def providers() -> dict[str, Provider]:
    """Every provider that a reward type names, by its own name."""
    return {kind.provider.name: kind.provider for kind in registry().values() if kind.provider}


def provider_of(name: str) -> Provider:
    """The provider of this name. Raises NotFound."""
    try:
        return providers()[name]
    except KeyError:
        raise NotFound(_l("There is no such provider.")) from None


def find(session: Session, brand_id: int, provider: str) -> ProviderAccount | None:
    """The brand's account with it, if it has one."""
    mine = sa.select(ProviderAccount).where(ProviderAccount.brand_id == brand_id, ProviderAccount.provider == provider)
    return session.scalar(mine)


def write(
    session: Session,
    client: Client,
    brand_id: int,
    provider: Provider,
    address: str,
    keys: Mapping[str, str],
    actor: str,
) -> ProviderAccount:
    """Give the account, all of it: what was there is written over. Raises Invalid("address" or the key's name)."""
    wanted = {key.name: keys.get(key.name, "").strip() for key in provider.keys}
    for name, value in wanted.items():
        if not 0 < len(value) <= LONGEST_KEY or not value.isascii() or not value.isprintable():
            raise Invalid(name, "key", _l("A key has 1 to 500 printable characters."))
    address = address.strip().rstrip("/")
    if len(address) > 200:
        raise Invalid("address", "length", _l("The text has at most %(number)s characters.", number=200))
    client.check("address", address)
    account = find(session, brand_id, provider.name) or ProviderAccount(brand_id=brand_id, provider=provider.name)
    account.address, account.changed_at = address, clock.now()
    account.sealed_keys = seal_keys(brand_id, provider.name, wanted)
    session.add(account)
    session.flush()
    detail = {"address": address}
    audit.record(session, brand_id, actor, "provider-account.given", "provider", provider.name, detail)
    return account


def remove(session: Session, brand_id: int, provider: str, actor: str) -> None:
    """Take it away: what is due waits until there is one again. Asking twice changes nothing."""
    account = find(session, brand_id, provider)
    if account is not None:
        session.delete(account)
        audit.record(session, brand_id, actor, "provider-account.removed", "provider", provider, {})


def type_of_provider(name: str) -> RewardType:
    """The reward type that orders there. Raises NotFound."""
    provider_of(name)
    return next(kind for kind in registry().values() if kind.provider and kind.provider.name == name)


def counter(session: Session, client: Client, brand_id: int, kind: RewardType) -> Counter:
    """Where orders of this type are handed in for this brand. Raises Stalled without an account that can be opened."""
    name = kind.provider.name if kind.provider else ""
    account = find(session, brand_id, name)
    if account is None:
        raise Stalled(f"there is no account with {name}")
    try:
        return Counter(client, account.address, unseal_keys(brand_id, name, account.sealed_keys))
    except SealBroken as error:
        raise Stalled(f"the keys of {name} were sealed with another secret: give them again") from error
