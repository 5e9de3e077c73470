"""A short form of `python3 run.py faults smtp`: 300 mails over a server with every mood, and the auditor's eyes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.moody import MOODS
from tests.faults.sink import Copy
from tests.faults.smtp import Owed, Plan, moods, wrongs


def test_three_hundred_mails_over_a_moody_server_none_is_missing(
    pytestconfig: pytest.Config, new_database: Callable[[], str], tmp_path: Path
) -> None:
    row = moods(Plan(pytestconfig.getoption("--db"), new_database, tmp_path, 300))
    assert row.wrongs == []
    assert all(mood in row.did for _times, mood in MOODS.values()), row.did
    assert row.repeated <= 3  # only answers that were lost: silence twice, a drop after the final dot once


def test_a_silence_that_is_taken_for_a_yes_is_seen(
    pytestconfig: pytest.Config, new_database: Callable[[], str], tmp_path: Path
) -> None:
    plan = Plan(pytestconfig.getoption("--db"), new_database, tmp_path, 100)
    assert "never left" in "; ".join(moods(plan, bug="silence-is-yes").wrongs)


KEPT = Owed("p1@x", "<1@x>", "POOL-1", "sent", "")
REFUSED = Owed("p43@x", "<43@x>", "POOL-43", "failed", "550")
COPY = Copy(0, 1, 0.0, "<1@x>", "POOL-1", "p1@x")


def test_the_auditor_finds_nothing_where_all_is_well() -> None:
    assert wrongs([KEPT, REFUSED], [COPY, COPY], 1) == []


@pytest.mark.parametrize(
    ("owed", "journal", "suppressed", "said"),
    [
        ([KEPT, REFUSED], [], 1, "never left"),
        ([replace(KEPT, state="earned"), REFUSED], [COPY], 1, "not noted as sent"),
        ([KEPT, replace(REFUSED, state="sent")], [COPY], 1, "not noted so"),
        ([KEPT, REFUSED], [COPY, replace(COPY, message_id="<43@x>", code="POOL-43")], 1, "refused and arrived"),
        ([KEPT, REFUSED], [replace(COPY, code="POOL-9")], 1, "another code"),
        ([KEPT, REFUSED], [COPY] * 3, 1, "more than twice"),
        ([KEPT, REFUSED], [COPY], 0, "suppressed"),
    ],
)
def test_the_auditor_sees_each_thing_that_is_wrong(
    owed: list[Owed], journal: list[Copy], suppressed: int, said: str
) -> None:
    assert said in "; ".join(wrongs(owed, journal, suppressed))
