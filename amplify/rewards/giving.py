"""The moment of giving: codes, budget, caps and the rows of the ledger are moved together, or the caller undoes all."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.bulk import insert_many, next_ids
from amplify.delivery.services import new_message_ids
from amplify.rewards import caps
from amplify.rewards.approving import first_state
from amplify.rewards.eligibility import CHANNEL, Candidate
from amplify.rewards.models import Push, Reward
from amplify.rewards.services import spend
from amplify.rewards.types import type_of


class Unsettled(RuntimeError):
    """Codes, rows and budget did not come out together: somebody else was faster. All is undone and tried again."""


def take_codes(session: Session, reward: Reward, getting: list[Candidate]) -> dict[int, str]:
    """A push id and a code for each of them, as far as codes go; the rule for whom there is none."""
    ids = next_ids(session, Push, len(getting))
    codes = type_of(reward.type).reserve(session, reward, ids) if ids else []
    for one in getting[len(codes) :]:
        one.rule = "no-code"
    return dict(zip(ids, codes, strict=False))


def give(
    session: Session,
    brand: Brand,
    reward: Reward,
    getting: Sequence[Candidate],
    codes: Mapping[int, str],
    shared: Mapping[str, Any],
    columns: Mapping[str, Sequence[Any]],
) -> None:
    """Write a push for each of them, with budget and caps. `shared` and `columns` say what is particular to why.

    Raises Unsettled when the database gave fewer codes or less money than it had said: roll back and come again.
    """
    if not getting:
        return
    if not spend(session, reward, reward.value_minor * len(getting)):
        raise Unsettled("the budget does not hold it any more")
    if not caps.take(session, reward, [one.advocate_id for one in getting], clock.now()):
        raise Unsettled("a cap does not hold it any more")
    host = brand.target_hosts[0] if brand.target_hosts else "amplify.invalid"
    same = {
        "brand_id": brand.id, "campaign_id": reward.campaign_id, "reward_id": reward.id, "channel": CHANNEL,
        "amount_minor": reward.value_minor, "currency": reward.currency, "state": first_state(session, reward),
        "reason": "", "attempts": 0, "planned_at": clock.now(), **shared,
    }  # fmt: skip
    own: dict[str, Sequence[Any]] = {
        "id": list(codes),
        "advocate_id": [one.advocate_id for one in getting],
        "locale": [one.locale for one in getting],
        "code": [code or None for code in codes.values()],
        "message_id": new_message_ids(host, list(codes)),
        **columns,
    }
    insert_many(session, Push, same, own)
    if type_of(reward.type).settle(session, reward, codes) != len(codes):
        raise Unsettled("a code was taken meanwhile")
