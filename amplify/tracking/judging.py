"""Judges clicks in their order and remembers whose window is open: as they come, and again under another rule set.

Each reader of the clicks has windows of its own: the tracker (run 0), and a reclassification while it lasts.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.tracking import verdicts
from amplify.tracking.models import TRACKER, Click, FirstClick
from amplify.tracking.surroundings import Window, read_surroundings


def judge_in_order(session: Session, clicks: Sequence[Click], *, run: int = TRACKER) -> list[verdicts.Verdict]:
    """The verdict of each click, those before it among what is known. The windows that they open are kept."""
    windows = _open_windows(session, clicks, run)
    surroundings = read_surroundings(session, clicks, windows, run)
    opened: Window = {}
    found = []
    for click in clicks:
        before = _is_inside(windows, click)
        verdict = verdicts.judge(click, counted_before=before, around=surroundings.of(click))
        if verdict.name == "human":
            pair = click.link_id, click.visitor
            windows[pair] = opened[pair] = click.at
        found.append(verdict)
    _keep_windows(session, opened, clicks[0].at, run)
    return found


def as_row(verdict: verdicts.Verdict) -> dict[str, object]:
    """What is stored of a verdict."""
    return {
        "verdict": verdict.name,
        "rule": verdict.rule,
        "rules_version": verdicts.RULES_VERSION,
        "judged_at": clock.now(),
    }


def _is_inside(windows: Window, click: Click) -> bool:
    opened = windows.get((click.link_id, click.visitor))
    return opened is not None and click.at - opened < verdicts.WINDOW


def _open_windows(session: Session, clicks: Sequence[Click], run: int) -> Window:
    """When the current windows of the visitors of these clicks were opened, on whichever link."""
    visitors = list({click.visitor for click in clicks})
    columns = sa.select(FirstClick.link_id, FirstClick.visitor, FirstClick.at).where(FirstClick.run == run)
    found: Window = {}
    for start in range(0, len(visitors), 500):
        among = FirstClick.visitor.in_(visitors[start : start + 500])
        for first in session.execute(columns.where(among)):
            found[first.link_id, first.visitor] = first.at
    return found


def _keep_windows(session: Session, opened: Window, oldest: datetime, run: int) -> None:
    """Remember the windows these clicks opened, and forget those that are over for every click still to come."""
    over = FirstClick.run == run, FirstClick.at <= oldest - verdicts.WINDOW
    session.execute(sa.delete(FirstClick).where(*over), execution_options={"synchronize_session": False})
    rows = [{"run": run, "link_id": link_id, "visitor": visitor, "at": at} for (link_id, visitor), at in opened.items()]
    new = insert_ignore(session, FirstClick, rows)
    if new < len(rows):  # a batch that reaches over a day opens the same window anew
        session.execute(sa.update(FirstClick), rows)
