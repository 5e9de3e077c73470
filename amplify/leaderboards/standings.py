"""Writing standings, and the counts of their scores with them. The only place that does."""

from collections.abc import Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy.orm import Session

from amplify.core import bulk
from amplify.leaderboards import histogram
from amplify.leaderboards.folding import Totals
from amplify.leaderboards.models import Standing
from amplify.leaderboards.ties import Ties

FIGURES = tuple(field.name for field in fields(Totals))
SCORE, CONVERSIONS = FIGURES.index("score_log"), FIGURES.index("conversions")
NAMES = ("advocate_id", "board_id", *FIGURES, "tie")
OVERWRITE = ", ".join(f"{name} = excluded.{name}" for name in (*FIGURES, "tie"))

figures_of = attrgetter(*FIGURES)

# What is stored: (board id, advocate id) -> the values of FIGURES.
Stored = Mapping[tuple[int, int], tuple[Any, ...]]


def store(session: Session, after: Stored, before: Stored, ties: Ties, levels: histogram.Levels | None) -> int:
    """Write the standings that are not as `before`, and move the counts of their scores. Returns how many.

    No `levels`: they are counted when all are there (`histogram.count_below`).
    """
    changed = {key: figures for key, figures in after.items() if before.get(key) != figures}
    rows = [
        (advocate_id, board_id, *figures, ties.of(advocate_id, figures[CONVERSIONS]))
        for (board_id, advocate_id), figures in changed.items()
    ]
    rows.sort()  # as the table is sorted
    bulk.upsert(session, Standing, NAMES, rows, key="advocate_id, board_id", update=OVERWRITE)
    if levels is None:
        return len(rows)
    moves = ((key[0], before[key][SCORE] if key in before else None, new[SCORE]) for key, new in changed.items())
    histogram.apply(session, moves, levels)
    return len(rows)
