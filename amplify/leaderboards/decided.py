"""What people decided about single clicks and orders, and how the ledger says it. Rules write nothing more about those.

A restored click has a cause of its own ("appealed_click"), so that it can be there beside the entry that was taken
back, and counts as what it is: by the weight of a click, in the number of clicks. Its key is the click's ("click:91"),
so it can be there once.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.leaderboards.models import EntryAppeal

# The cause of an entry that gives a thing its points after all, for the cause that gave it none or lost them.
RESTORED = {"human_click": "appealed_click", "conversion": "appealed_order"}
COUNTS_AS = {restored: cause for cause, restored in RESTORED.items()}
# The cause of an entry that takes points back because the person said that they are not theirs.
GIVEN_BACK = "appeal"


def subject_of(cause_key: str) -> str:
    """ "click:91" of "click:91:2": the thing itself, whichever time it is that it earns."""
    return ":".join(cause_key.split(":")[:2])


def undecided(session: Session, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of these new entries that are not about something that a person decided."""
    about = {subject_of(entry["cause_key"]) for entry in entries}
    known = is_among(session, EntryAppeal.subject, about), EntryAppeal.outcome == "accepted"
    decided = set(session.scalars(sa.select(EntryAppeal.subject).where(*known)))
    return [entry for entry in entries if subject_of(entry["cause_key"]) not in decided]
