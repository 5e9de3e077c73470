"""A short form of `python3 run.py faults ...`: few kills, some planted bugs, and the auditor's own eyesight."""

import re
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import amplify
from amplify.delivery.sending import GROUP
from tests.faults import boards, campaign, clock, power, web
from tests.faults.audit import Evidence, Owed, repeats, wrongs
from tests.faults.sink import Copy
from tests.faults.worker import Plan, Row, kills, noted_before_sent, noted_too_late

PEOPLE = 12


@pytest.fixture
def plan(pytestconfig: pytest.Config, new_database: Callable[[], str], tmp_path: Path) -> Plan:
    return Plan(pytestconfig.getoption("--db"), new_database, tmp_path, kills=2, people=120)


def test_workers_killed_in_mid_campaign_lose_nothing_and_double_nothing(plan: Plan) -> None:
    row = kills(plan)
    assert row.wrongs == []
    assert row.kills == 2


def test_a_worker_that_calls_mails_sent_too_early_is_caught(plan: Plan) -> None:
    row = noted_before_sent(plan)
    assert any("never left" in wrong for wrong in row.wrongs), row.wrongs
    assert row.ok


def test_a_worker_that_notes_more_than_a_group_too_late_is_caught(plan: Plan) -> None:
    """On a busy machine it may be killed too late itself, and has then done no harm: three are tried."""
    rows = (noted_too_late(replace(plan, folder=plan.folder / str(turn))) for turn in range(3))
    assert any("nobody died before they were noted" in wrong for row in rows for wrong in row.wrongs)


def test_clock_workers_and_pages_die_in_a_campaign_and_nothing_is_lost_or_doubled(plan: Plan) -> None:
    row = campaign.kills(replace(plan, kills=7), campaign.Size(people=60, chunk=20))
    assert row.wrongs == []
    assert row.kills >= 7


def test_a_start_noted_too_early_and_an_answer_acknowledged_too_early_are_caught(plan: Plan) -> None:
    started, answered = campaign.started_in_two_steps(plan), campaign.answered_before_stored(plan)
    assert any("have no push" in wrong for wrong in started.wrongs), started.wrongs
    assert any("are not stored" in wrong for wrong in answered.wrongs), answered.wrongs


def test_the_campaigns_faults_know_every_failpoint_on_the_way_of_a_push() -> None:
    """What else has one belongs to milestones, friends, providers, clicks and rounds: killed in their own tests."""
    others = {"milestone", "award", "friend", "provider", "removal", "edition", "reclassify", "{name}"}
    named = re.compile(r'reach\(f?"([a-z-]+|\{name\}-[a-z-]+)"\)')
    texts = [file.read_text() for file in (Path(amplify.__file__).parent).rglob("*.py")]
    found = {name for text in texts for name in named.findall(text)}
    spelt = {f"{step}-{end}" for step in ("freeze", "plan") for end in ("before-commit", "after-commit")}
    ours = {name for name in found if not any(name.startswith(f"{other}-") for other in others)}
    assert ours | spelt == set(campaign.POINTS)


def test_workers_killed_while_they_fold_leave_boards_as_a_rebuild_makes_them(plan: Plan) -> None:
    assert boards.kills(plan, 1, bug="noted-after-folded").ok
    held = boards.kills(plan, 2)
    assert (held.wrongs, held.kills) == ([], 2)


def test_the_web_process_killed_under_load_loses_no_click_that_it_acknowledged(plan: Plan) -> None:
    assert web.kills(plan, 5, bug="told-before-stored").ok
    held = web.kills(plan, 2)
    assert (held.wrongs, held.kills) == ([], 2)


def test_a_power_cut_loses_nothing_that_was_acknowledged_or_says_what_the_machine_lacks(plan: Plan) -> None:
    """A container without the right to mount cannot show it; it must say so, and why."""
    lacking = power.lacking(plan.place("possible"))
    if lacking:
        with pytest.raises(SystemExit, match="A power cut needs Linux, root"):
            power.plan_of(plan.database, plan.new_database, plan.place("refused"), Namespace(kills=1, seed=1))
        return
    assert power.cuts(plan, 3, bug="does-not-wait-for-the-disk").ok
    held = power.cuts(plan, 1)
    assert (held.wrongs, held.kills) == ([], 1)


def test_false_times_say_what_the_machine_lacks(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    given = plan.database, plan.new_database, plan.place("clock"), Namespace(seed=1)
    monkeypatch.setenv("FAKETIME_LIBRARY", "/lib/libfaketime.so.1")
    assert clock.plan_of(*given).seed == 1
    monkeypatch.delenv("FAKETIME_LIBRARY")
    monkeypatch.setattr(clock, "LIBRARIES", ())
    if clock.library() is None:
        with pytest.raises(SystemExit, match="False times need libfaketime"):
            clock.plan_of(*given)


def test_the_nights_of_false_times_are_two_in_each_zone() -> None:
    walls = {zone: [night.wall for night in clock.nights(zone)] for zone in clock.ZONES}
    assert all(len(found) == 2 for found in walls.values())
    assert [f"{wall:%m-%d %H:%M}" for wall in walls["Europe/Berlin"]] == ["03-30 02:10", "10-26 02:10"]


def test_a_planted_bug_that_nobody_sees_makes_the_whole_run_fail() -> None:
    assert not Row("sqlite", "kill -9", "", [], 1.0, bug="planted").ok
    assert Row("sqlite", "kill -9", "", [], 1.0).ok


def evidence() -> Evidence:
    """A campaign in which everything went well; worker 0 was killed, worker 1 was not."""
    pushes = [Owed(n, f"POOL-1-{n:05}", f"<{n}@x>", "sent", 500) for n in range(PEOPLE)]
    return Evidence(
        chosen=set(range(PEOPLE)),
        pushes=pushes,
        uploaded={f"POOL-1-{n:05}" for n in range(2 * PEOPLE)},
        taken=[push.code for push in pushes],
        spent_minor=500 * PEOPLE,
        occurrence=1,
        journal=[a_copy(n, worker=n % 2, connection=n) for n in range(PEOPLE)],
        killed={0},
    )


def a_copy(number: int, *, worker: int, connection: int, code: str = "") -> Copy:
    return Copy(worker, connection, float(connection), f"<{number}@x>", code or f"POOL-1-{number:05}", f"p{number}@x")


def changed(change: str) -> Evidence:
    """The evidence with one thing wrong."""
    good = evidence()
    pushes, journal = good.pushes, list(good.journal)
    group = [a_copy(100 + n, worker=0, connection=0) for n in range(GROUP)]
    wrong = {
        "twice": {"pushes": [*pushes, replace(pushes[1], code="POOL-1-00013", message_id="<x@x>", state="earned")]},
        "code": {"pushes": [replace(pushes[0], code=pushes[1].code), *pushes[1:]]},
        "missing": {"pushes": pushes[1:], "journal": journal[1:], "taken": good.taken[1:]},
        "unsent": {"pushes": [replace(pushes[0], state="earned"), *pushes[1:]]},
        "early": {"journal": journal[1:]},
        "strange": {"journal": [*journal, a_copy(99, worker=1, connection=99)]},
        "unbound": {"journal": [a_copy(0, worker=0, connection=0, code="POOL-1-00013"), *journal[1:]]},
        "again": {"journal": [*journal, a_copy(1, worker=1, connection=99)]},
        # The same of the dead worker's: long before the last on its connection, or with a whole group behind it.
        "late": {
            "journal": [*journal, a_copy(0, worker=1, connection=99), replace(journal[0], message_id="<2@x>", at=9.0)]
        },
        "full": {"journal": [*journal, *group, a_copy(0, worker=1, connection=99)]},
        "pool": {"taken": good.taken[1:]},
        "budget": {"spent_minor": 1},
        "stuck": {"jobs": {"parked": 1}},
        "started": {"occurrence": 2},
        "damaged": {"integrity": "row 7 missing"},
    }[change]
    return replace(good, **wrong)  # type: ignore[arg-type]  # one of the fields above


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("twice", "more than one push"), ("code", "given more than once"), ("missing", "have no push"),
        ("unsent", "were not sent"), ("early", "never left"), ("strange", "not in the ledger"),
        ("unbound", "another code"), ("again", "nobody died"), ("late", "nobody died"), ("full", "nobody died"),
        ("pool", "disagree"), ("budget", "budget"), ("stuck", "stuck"), ("started", "started 2 times"),
        ("damaged", "damaged"),
    ],
)  # fmt: skip
def test_the_auditor_sees(change: str, said: str) -> None:
    assert wrongs(evidence()) == []
    assert any(said in wrong for wrong in wrongs(changed(change))), wrongs(changed(change))


def test_a_copy_cut_off_by_a_kill_is_no_wrong_and_is_counted() -> None:
    good = evidence()
    again = replace(good, journal=[*good.journal, a_copy(0, worker=1, connection=99)])
    assert wrongs(again) == []
    assert repeats(again) == 1
