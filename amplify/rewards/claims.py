"""Gift links and codes of providers, and the keys of accounts: sealed where they rest, opened where they are used."""

import json
from collections.abc import Mapping
from typing import Any

from amplify.core.seal import seal, unseal
from amplify.core.web import amplify
from amplify.rewards.models import Push


def seal_claim(push: Push, claim: str) -> str | None:
    """What a push keeps of the link or code it stands for."""
    return seal(claim, owner=_owner(push), secret_key=amplify().settings.secret) if claim else None


def carried(push: Push) -> dict[str, str] | None:
    """What a message about this push carries: still sealed, because messages rest in the database, too."""
    return {"owner": _owner(push), "sealed": push.sealed_claim} if push.sealed_claim else None


def opened(claim: Mapping[str, str] | None) -> str:
    """For the templates of messages: the link or code itself; "" for none."""
    return unseal(claim["sealed"], owner=claim["owner"], secret_key=amplify().settings.secret) if claim else ""


def seal_keys(brand_id: int, provider: str, keys: Mapping[str, str]) -> str:
    """The keys of an account as one ciphertext, bound to the brand and the provider."""
    return seal(json.dumps(dict(keys)), owner=_account(brand_id, provider), secret_key=amplify().settings.secret)


def unseal_keys(brand_id: int, provider: str, sealed: str) -> dict[str, str]:
    """The keys again. Raises SealBroken."""
    found: Any = json.loads(unseal(sealed, owner=_account(brand_id, provider), secret_key=amplify().settings.secret))
    return {str(name): str(value) for name, value in found.items()}


def _owner(push: Push) -> str:
    return f"pushes:{push.brand_id}:{push.id}"


def _account(brand_id: int, provider: str) -> str:
    return f"provider_accounts:{brand_id}:{provider}"
