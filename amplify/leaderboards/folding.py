"""From ledger entries to standings, as a pure left fold in the order of the ledger.

A reversal does not subtract (that would leave rounding dust in the log domain): the standing is folded again from the
entries that are left. So the result is the fold of the living entries in ledger order, whenever and in whatever
batches it was made: a rebuild from nothing gives the same standings, bit for bit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from amplify.leaderboards.decay import entry_log, log_add
from amplify.leaderboards.decided import COUNTS_AS
from amplify.leaderboards.models import PointsEntry
from amplify.leaderboards.scoring import Rules

# (kind of board, id of what it is about); the whole brand is ("brand", 0), a channel ("channel:email", 0).
BoardName = tuple[str, int]
COUNTED_AS = {"human_click": "human_clicks", "conversion": "conversions", "share_confirmed": "shares"}
COUNTED_AS |= {restored: COUNTED_AS[cause] for restored, cause in COUNTS_AS.items()}


class Entry(NamedTuple):
    """What of a ledger entry a standing is made of. (Reading whole entries would take three times as long.)"""

    id: int
    brand_id: int
    advocate_id: int
    campaign_id: int
    business_line_id: int | None
    location_id: int | None
    link_id: int | None
    channel: str
    cause: str
    reverses_id: int | None
    milli_points: int
    is_reward_eligible: bool
    occurred_at: datetime


@dataclass(slots=True)
class Totals:
    """One standing while it is folded."""

    reached_at: datetime
    score_log: float | None = None
    recognition_log: float | None = None
    milli_points: int = 0
    human_clicks: int = 0
    conversions: int = 0
    shares: int = 0

    def add(self, entry: Entry, milli_points: int, log: float | None) -> None:
        """Count one living entry that is worth `milli_points`, whose L is `log`."""
        has_score, was_all = self.score_log is not None, self.score_log == self.recognition_log
        # The time a score was reached is the time of the last thing that made it; ties go to the earlier.
        if entry.is_reward_eligible or not has_score:
            starts_score = entry.is_reward_eligible and not has_score
            if starts_score or entry.occurred_at > self.reached_at:
                self.reached_at = entry.occurred_at
        if entry.is_reward_eligible:
            self.score_log = log_add(self.score_log, log)
            self.milli_points += milli_points
        # Most have nothing but what counts toward rewards: then it is the same sum.
        is_all = was_all and entry.is_reward_eligible
        self.recognition_log = self.score_log if is_all else log_add(self.recognition_log, log)
        if counter := COUNTED_AS.get(entry.cause):
            setattr(self, counter, getattr(self, counter) + 1)


def channel_board(channel: str) -> BoardName:
    """The board of a channel, which has a name and no id."""
    return f"channel:{channel}", 0


def boards_of(entry: Entry | PointsEntry) -> Iterator[BoardName]:
    """Every board an entry counts on."""
    yield "brand", 0
    yield "campaign", entry.campaign_id
    if entry.location_id is not None:
        yield "location", entry.location_id
    if entry.business_line_id is not None:
        yield "business_line", entry.business_line_id
    if entry.channel:
        yield channel_board(entry.channel)


def living(entries: Sequence[Entry]) -> list[Entry]:
    """Those of an advocate's whole ledger that are no reversals and were not reversed."""
    taken_back = {entry.reverses_id for entry in entries if entry.reverses_id is not None}
    return [entry for entry in entries if entry.reverses_id is None and entry.id not in taken_back]


def fold(entries: Iterable[Entry], into: dict[BoardName, Totals], rules: Rules) -> None:
    """Count entries of one advocate, none of them a reversal or reversed, on top of what is there."""
    for entry in entries:
        milli_points = rules.milli_points(entry.cause, entry.milli_points)
        log = entry_log(milli_points, entry.occurred_at, rules.half_life_days)
        for board in boards_of(entry):
            totals = into.get(board)
            if totals is None:
                totals = into[board] = Totals(reached_at=entry.occurred_at)
            totals.add(entry, milli_points, log)


def fold_all(entries: Sequence[Entry], rules: Rules) -> dict[BoardName, Totals]:
    """The standings of one advocate from all their entries in ledger order, reversals among them."""
    standings: dict[BoardName, Totals] = {}
    for entry in entries:
        for board in boards_of(entry):
            # Also who has nothing left keeps a row, with nothing in it.
            standings.setdefault(board, Totals(reached_at=entry.occurred_at))
    fold(living(entries), standings, rules)
    return standings
