"""Filling a code pool from lines of text: streamed, and safe to repeat. What is not taken is told by line and rule."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.columns import first_column
from amplify.core.errors import Conflict
from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.models import CodeSequence, Reward, RewardCode
from amplify.rewards.patterns import Pattern
from amplify.rewards.types import type_of

BATCH = 2_000
LONGEST = 100
MOST_PROBLEMS = 1_000
HEADERS = ("code", "codes", "codigo", "código", "coupon", "voucher")

MESSAGES = {
    "length": _l("A code has at most 100 characters."),
    "printable": _l("A code has only characters that can be printed."),
    "duplicate-in-file": _l("This code stands in the file before."),
    "taken-elsewhere": _l("Another reward of yours has this code."),
    "code-of-a-pattern": _l("This code could also be made by a pattern of yours."),
}


@dataclass(frozen=True)
class Problem:
    """A line that was not taken."""

    line: int
    rule: str
    value: str

    @property
    def message(self) -> Any:
        """The rule as a sentence."""
        return MESSAGES[self.rule]


@dataclass
class Uploaded:
    """What became of the lines. `known`: in this pool since an earlier upload. `problems` holds the first 1,000."""

    added: int = 0
    known: int = 0
    refused: int = 0
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, line: int, rule: str, value: str) -> None:
        self.refused += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(line, rule, value[:80]))


def upload_codes(
    session: Session, reward: Reward, lines: Iterable[str], *, after_batch: Callable[[], object] = lambda: None
) -> Uploaded:
    """Put the first column of each CSV line into the pool. Repeating an upload adds nothing.

    `after_batch` is called every 2,000 lines: a caller may commit there, so that clicks do not wait for a large file.
    Raises Conflict for a type without a pool, Malformed for what is no CSV.
    """
    if not type_of(reward.type).takes_upload:
        raise Conflict(_l("This type of reward takes no codes from outside."), field="type", rule="takes-upload")
    uploaded, stamp = Uploaded(), clock.now()
    made = sa.select(CodeSequence.pattern).where(CodeSequence.brand_id == reward.brand_id)
    patterns = [Pattern(text).regex for text in session.scalars(made)]
    rows = codes_in(lines)
    while batch := list(islice(rows, BATCH)):
        fresh: dict[str, int] = {}
        for line, code in batch:
            rule = "duplicate-in-file" if code in fresh else _fault(code, patterns)
            if rule:
                uploaded.refuse(line, rule, code)
            else:
                fresh[code] = line
        _store(session, reward, fresh, stamp, uploaded)
        after_batch()
    return uploaded


def codes_in(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Line number and code; empty lines and a header are passed over. Raises Malformed for what is no CSV."""
    return first_column(lines, HEADERS)


def _fault(code: str, patterns: list[Any]) -> str | None:
    if len(code) > LONGEST:
        return "length"
    if not code.isprintable():
        return "printable"
    return "code-of-a-pattern" if any(pattern.fullmatch(code) for pattern in patterns) else None


def _store(session: Session, reward: Reward, fresh: dict[str, int], stamp: Any, uploaded: Uploaded) -> None:
    """Insert what is not there; look up why the rest was."""
    rows = [{"brand_id": reward.brand_id, "reward_id": reward.id, "code": code, "added_at": stamp} for code in fresh]
    there = sa.select(RewardCode.code, RewardCode.reward_id, RewardCode.added_at).where(
        RewardCode.brand_id == reward.brand_id, RewardCode.code.in_(fresh)
    )
    before = {row.code: row for row in session.execute(there)}
    uploaded.added += insert_ignore(session, RewardCode, [row for row in rows if row["code"] not in before])
    for code, row in before.items():
        if row.reward_id != reward.id:
            uploaded.refuse(fresh[code], "taken-elsewhere", code)
        elif row.added_at == stamp:
            uploaded.refuse(fresh[code], "duplicate-in-file", code)
        else:
            uploaded.known += 1
