"""Redeeming many codes from a file, as a shop's till exports them: each once, and safe to repeat."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from amplify.core.errors import Conflict, NotFound
from amplify.rewards.services import redeem
from amplify.rewards.uploading import MOST_PROBLEMS, codes_in

BATCH = 500


@dataclass(frozen=True)
class Problem:
    """A line whose code was not redeemed, with the rule and its sentence."""

    line: int
    rule: str
    message: Any
    value: str


@dataclass
class Redeemed:
    """What became of the lines: redeemed now, redeemed `before`, refused. `problems` holds the first 1,000."""

    now: int = 0
    before: int = 0
    refused: int = 0
    problems: list[Problem] = field(default_factory=list)


def redeem_codes(
    session: Session,
    brand_id: int,
    lines: Iterable[str],
    actor: str,
    *,
    after_batch: Callable[[], object] = lambda: None,
) -> Redeemed:
    """Redeem the first column of each CSV line. A line that is refused does not keep the others from it.

    `after_batch` is called every 500 lines: a caller may commit there. Raises Malformed for what is no CSV.
    """
    done, rows = Redeemed(), codes_in(lines)
    while batch := list(islice(rows, BATCH)):
        for line, code in batch:
            _redeem(session, brand_id, line, code, actor, done)
        after_batch()
    return done


def _redeem(session: Session, brand_id: int, line: int, code: str, actor: str, done: Redeemed) -> None:
    try:
        _push, is_new = redeem(session, brand_id, code, actor)
    except (NotFound, Conflict) as refused:
        done.refused += 1
        if len(done.problems) < MOST_PROBLEMS:
            done.problems.append(Problem(line, refused.rule or "", refused.message, code[:80]))
        return
    if is_new:
        done.now += 1
    else:
        done.before += 1
