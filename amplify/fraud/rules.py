"""What makes a risk score, all in one table: from what count on a rule speaks, and how many points it gives.

A score is the sum of its reasons, 100 at most. The same facts give the same score for ever under one RULES_VERSION.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

# Raise it when the table or what feeds it changes: each score carries the version it was made by.
RULES_VERSION = 2
# An accepted case comes back when its score has grown by this much since.
REOPENS_AFTER = 20


@dataclass(frozen=True)
class Rule:
    """Speaks from `threshold` on (or `times` the brand's norm, if that is more): `points`, and `more` for each doubling
    of the threshold, `most` at most."""

    threshold: int
    points: int
    more: int = 0
    most: int = 100
    times: int = 0


RULES = {
    # An advocate.
    # Human clicks in one hour. Said and not weighed: anybody can send visits to a rival, and must not have them held.
    "click-rush": Rule(threshold=20, times=5, points=0),
    "order-rush": Rule(threshold=4, times=5, points=20, more=10, most=40),  # orders in one hour
    "own-orders": Rule(threshold=1, points=20, more=20, most=80),  # orders by the advocate, mailbox or visitor key
    "claimed-orders": Rule(threshold=1, points=20, more=15, most=60),  # told with two advocates' clicks
    "disposable-mail": Rule(threshold=1, points=20),  # the advocate's own address
    "many-accounts": Rule(threshold=3, points=15, more=10, most=40),  # accounts on one visitor key
    "mutual": Rule(threshold=1, points=10, more=5, most=20),  # others who bought through them and they through them
    "ring": Rule(threshold=3, points=45, more=10, most=70),  # members of a ring, see rings.py
    "one-visitor": Rule(threshold=50, points=30),  # per cent of their orders by one visitor or buyer
    # An order.
    "own-mailbox": Rule(threshold=1, points=60),
    "own-visitor": Rule(threshold=1, points=40),
    "claimed": Rule(threshold=1, points=40),
    "in-ring": Rule(threshold=3, points=45),
    "rush": Rule(threshold=4, times=5, points=15, more=5, most=30),  # orders of the advocate in that hour
    "disposable-buyer": Rule(threshold=1, points=20),
    # A day of an advocate's clicks: enough by itself to be held at the brand's usual threshold, never to be refused.
    "day-rush": Rule(threshold=25, times=5, points=45, more=5, most=75),
}
# A share of one visitor says something from so many orders on.
ONE_VISITOR_ORDERS = 4


@dataclass(frozen=True)
class Reason:
    """Why there is risk: the rule, its points, what was counted and from what count on it matters."""

    rule: str
    points: int
    count: int
    threshold: int
    # Other advocates who are part of it, for staff.
    others: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"others": list(self.others)}


def weigh(name: str, count: int, *, norm: int = 0, others: Iterable[int] = ()) -> Reason | None:
    """The reason that a rule sees in a count, if any."""
    rule = RULES[name]
    threshold = max(rule.threshold, rule.times * norm)
    if count < threshold:
        return None
    points = min(rule.most, rule.points + rule.more * int(math.log2(count / threshold)))
    return Reason(name, points, count, threshold, tuple(sorted(others)))


def score_of(reasons: Iterable[Reason]) -> int:
    """0 to 100."""
    return min(100, sum(reason.points for reason in reasons))
