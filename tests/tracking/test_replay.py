"""The published figures: every labelled request through the real path (docs/clicks.md)."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from amplify.tracking.verdicts import RULES_VERSION
from tools.clicks import report
from tools.clicks.replay import Judged, replay
from tools.clicks.requests import read

# Small batches, so that bursts are seen from the inside; one by one it takes minutes (and tests/tracking/test_bursts.py
# says that it makes no difference).
AT_ONCE = 10
DOCUMENT = Path(__file__).parents[2] / "docs" / "clicks.md"


@pytest.fixture
def judged(session: Session) -> list[Judged]:
    return replay(session, read(), at_once=AT_ONCE)


def test_machines_are_caught_and_people_are_not_lost(judged: list[Judged]) -> None:
    assert len(judged) >= 5_000
    for part in (None, "open", "held out"):
        found = report.figures(judged, part)
        assert found.recall >= 0.97, part
        assert found.loss <= 0.005, part
    document = DOCUMENT.read_text()
    assert f"rule set {RULES_VERSION}" in document
    assert [line for line in [*report.summary(judged), *report.table(judged)] if line not in document] == []
