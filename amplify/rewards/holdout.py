"""Who is kept back for measuring: by chance, yet always the same people at every start of one campaign.

Membership is a keyed hash of campaign and advocate: nobody can guess or choose it, no state has to be kept for it, and
the dry run knows it before the start. The start writes it into the ledger (`left_out`, rule "holdout").
"""

from typing import Any

import sqlalchemy as sa

from amplify.campaigns.models import Campaign
from amplify.core.hashing import sha256_hex

RULE = "holdout"
DIGITS = 8


def is_held_out(campaign: Campaign, advocate_id: Any) -> sa.ColumnElement[bool]:
    """Whether the first 32 bits of SHA-256(key:campaign:advocate) are below the holdout's share of such numbers."""
    percent = int(campaign.audience.get("holdout_percent") or 0)
    if not percent:
        return sa.false()
    named = sa.literal(f"{campaign.holdout_key}:{campaign.id}:") + sa.cast(advocate_id, sa.String)
    below = f"{percent * 16**DIGITS // 100:0{DIGITS}x}"
    return sa.func.substr(sha256_hex(named), 1, DIGITS) < below
