"""Judges clicks in their order and remembers whose window is open: as they come, and again under another rule set.

Each reader of the clicks has windows of its own: the tracker (run 0), and a reclassification while it lasts. What a
batch shows of the clicks shortly before it (they were the beginning of a burst) is judged anew together with it: so
the verdicts are the same, however the clicks are cut into batches.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.bulk import insert_ignore, is_among
from amplify.tracking import verdicts
from amplify.tracking.models import SEEN, TRACKER, Click, ClickFacts, ClickVerdict, FirstClick, Seen
from amplify.tracking.surroundings import read_surroundings
from amplify.tracking.verdicts import Verdict

# When a visitor's current 24 hours on a link were opened, by link and visitor.
Pair = tuple[int, str]
Window = dict[Pair, datetime]


@dataclass(frozen=True)
class Change:
    """A click whose verdict or rule is another one now."""

    click: ClickFacts
    before: Verdict
    after: Verdict

    @property
    def is_gained(self) -> bool:
        return self.before.name != "human" == self.after.name

    @property
    def is_lost(self) -> bool:
        return self.before.name == "human" != self.after.name


class Judgement(NamedTuple):
    """The verdict of each click of a batch, and what the batch changed of those before it."""

    verdicts: list[Verdict]
    changes: list[Change]


def judge_in_order(session: Session, clicks: Sequence[ClickFacts], *, run: int = TRACKER) -> Judgement:
    """Judge these clicks, those before them among what is known. The windows that they open are kept."""
    surroundings = read_surroundings(session, clicks, run)
    earlier = _judged_before(session, surroundings.in_doubt)
    windows = _open_windows(session, clicks, run)
    again = [click for click, _verdict in earlier]
    closed = {pair for click in again if windows.get(pair := (click.link_id, click.visitor)) == click.at}
    for pair in closed:
        del windows[pair]
    opened: Window = {}
    found = []
    for click in (*again, *clicks):
        before = _is_inside(windows, click)
        verdict = verdicts.judge(click, counted_before=before, around=surroundings.of(click))
        if verdict.name == "human":
            pair = click.link_id, click.visitor
            windows[pair] = opened[pair] = click.at
        found.append(verdict)
    _close_windows(session, closed - opened.keys(), run)
    _keep_windows(session, opened, clicks[0].at, run)
    changes = [Change(click, was, now) for (click, was), now in zip(earlier, found, strict=False) if was != now]
    return Judgement(found[len(earlier) :], changes)


def as_row(verdict: Verdict) -> dict[str, object]:
    """What is stored of a verdict."""
    return {
        "verdict": verdict.name,
        "rule": verdict.rule,
        "rules_version": verdicts.RULES_VERSION,
        "judged_at": clock.now(),
    }


def _judged_before(session: Session, ids: Collection[int]) -> list[tuple[Seen, Verdict]]:
    """These clicks in their order, each with the verdict that it has."""
    if not ids:
        return []
    columns = sa.select(*SEEN, ClickVerdict.verdict, ClickVerdict.rule)
    joined = columns.join(ClickVerdict, ClickVerdict.click_id == Click.id).where(is_among(session, Click.id, ids))
    return [(Seen(*click), Verdict(name, rule)) for *click, name, rule in session.execute(joined.order_by(Click.id))]


def _is_inside(windows: Window, click: ClickFacts) -> bool:
    opened = windows.get((click.link_id, click.visitor))
    return opened is not None and click.at - opened < verdicts.WINDOW


def _open_windows(session: Session, clicks: Sequence[ClickFacts], run: int) -> Window:
    """When the current windows of the visitors of these clicks were opened, on whichever link."""
    visitors = list({click.visitor for click in clicks})
    columns = sa.select(FirstClick.link_id, FirstClick.visitor, FirstClick.at).where(FirstClick.run == run)
    found: Window = {}
    for start in range(0, len(visitors), 500):
        among = FirstClick.visitor.in_(visitors[start : start + 500])
        for first in session.execute(columns.where(among)):
            found[first.link_id, first.visitor] = first.at
    return found


def _close_windows(session: Session, closed: Collection[Pair], run: int) -> None:
    """What opened them was no person's."""
    if closed:
        among = sa.tuple_(FirstClick.link_id, FirstClick.visitor).in_(closed)
        gone = sa.delete(FirstClick).where(FirstClick.run == run, among)
        session.execute(gone, execution_options={"synchronize_session": False})


def _keep_windows(session: Session, opened: Window, oldest: datetime, run: int) -> None:
    """Remember the windows these clicks opened, and forget those that are over for every click still to come."""
    over = FirstClick.run == run, FirstClick.at <= oldest - verdicts.WINDOW
    session.execute(sa.delete(FirstClick).where(*over), execution_options={"synchronize_session": False})
    rows: list[dict[str, Any]] = [
        {"run": run, "link_id": link_id, "visitor": visitor, "at": at} for (link_id, visitor), at in opened.items()
    ]
    new = insert_ignore(session, FirstClick, rows)
    if new < len(rows):  # a batch that reaches over a day opens the same window anew, one that takes back may too
        session.execute(sa.update(FirstClick), rows)
