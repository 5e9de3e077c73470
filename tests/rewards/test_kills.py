"""A worker that dies anywhere in a campaign: real processes, killed as by a power cut, against a real mail server."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa

from amplify.campaigns.models import Campaign
from amplify.core.failpoints import EXIT_CODE
from amplify.delivery.sending import GROUP
from amplify.rewards.models import Milestone, Push
from tests.delivery.mailserver import MailServer, listening
from tests.rewards.conftest import Sessions
from tests.rewards.making import earn, is_balanced, make_advocates, make_brand, make_milestone, make_rewarded

PEOPLE = 24
KILLS = 4
# Every place at which a transaction or a mail is about to be, or has just been, done; in the order they are reached.
PLACES = (
    "start-after-freeze", "start-before-commit", "freeze-before-commit", "freeze-after-commit:2", "plan-before-commit",
    "plan-after-commit:2", "order-before-commit", "order-after-commit", "send-before:3", "send-after:5",
    "note-before:2", "note-after",
)  # fmt: skip
# At these a group of mails has begun to leave and is not noted.
UNNOTED = ("send-before:3", "send-after:5", "note-before:2")
# The same for what is reached: the rows of the steps, then the pushes with codes and budget, then the mails.
MILESTONE_PLACES = (
    "milestone-before-commit:2", "milestones-after-commit:3", "award-before-commit", "award-before-commit:2",
    "order-before-commit", "order-after-commit", "send-before:3", "send-after:5", "note-before:2", "note-after",
)  # fmt: skip


def start_worker(database: str, folder: Path, mails: MailServer, failpoint: str = "") -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AMPLIFY_")}
    environ = {**kept, "AMPLIFY_ENV": "test"} | ({"AMPLIFY_FAILPOINT": failpoint} if failpoint else {})
    command = [sys.executable, "-m", "tests.rewards.worker_process", database, str(folder), str(mails.port)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE)  # noqa: S603


def run(worker: subprocess.Popen[bytes]) -> int:
    """Its exit code, once it has ended by itself or by a failpoint."""
    try:
        worker.communicate(timeout=120)
    finally:
        worker.kill()
    return worker.returncode


def prepare(sessions: Sessions) -> int:
    with sessions() as session, session.begin():
        brand = make_brand(session)
        make_advocates(session, brand, PEOPLE)
        return make_rewarded(session, brand, top=PEOPLE, codes=PEOPLE, budget_minor=500 * PEOPLE).id


def faults(pushes: list[tuple[int, str, str, str]], mails: MailServer, crashes_while_sending: int) -> list[str]:
    """What is wrong with a ledger (advocate, code, Message-ID, state) and the mails that left for it."""
    found = []
    if sorted(advocate for advocate, *_rest in pushes) != sorted({advocate for advocate, *_rest in pushes}):
        found.append("an advocate has two pushes")
    if len(pushes) != PEOPLE:
        found.append(f"{len(pushes)} pushes instead of {PEOPLE}")
    if len({code for _a, code, _m, _s in pushes}) != len(pushes):
        found.append("a code was given twice")
    if any(state != "sent" for *_rest, state in pushes):
        found.append("a push was not sent")
    copies: Counter[str] = Counter(str(mail["Message-ID"]) for mail in mails.mails)
    codes = {message_id: code for _a, code, message_id, _s in pushes}
    if set(copies) != set(codes):
        found.append("the mails are not those of the ledger")
    if max(copies.values(), default=0) > 1 + crashes_while_sending:
        found.append("more copies than crashes")
    for mail in mails.mails:
        body = mail.get_body(("plain",))
        if body is None or codes.get(str(mail["Message-ID"]), "?") not in body.get_content():
            found.append("a mail carries another code than the ledger")
    return found


def audit(sessions: Sessions, mails: MailServer, crashes_while_sending: int = 0) -> list[str]:
    with sessions() as session:
        rows = session.execute(sa.select(Push.advocate_id, Push.code, Push.message_id, Push.state)).all()
        campaign = session.scalars(sa.select(Campaign)).one()
        found = faults([(a or 0, c or "", m, s) for a, c, m, s in rows], mails, crashes_while_sending)
        found += [] if campaign.occurrence == 1 else ["it started more than once"]
        found += [] if is_balanced(session, campaign) else ["the budget is not what the ledger says"]
    return found


def test_a_worker_killed_at_every_place_leaves_one_push_and_one_code_for_each(
    sessions: Sessions, own_database: str, tmp_path: Path
) -> None:
    prepare(sessions)
    with listening() as mails:
        for place in PLACES:
            assert run(start_worker(own_database, tmp_path, mails, place)) == EXIT_CODE, place
        assert run(start_worker(own_database, tmp_path, mails)) == 0
        assert audit(sessions, mails, crashes_while_sending=len(UNNOTED)) == []
        # Only what had left of a group when its sender died came again.
        copies = Counter(str(mail["Message-ID"]) for mail in mails.mails)
        assert 2 + 5 < sum(copies.values()) - PEOPLE <= 2 + 5 + GROUP


def test_a_worker_killed_at_every_place_of_a_milestone_gives_it_once(
    sessions: Sessions, own_database: str, tmp_path: Path
) -> None:
    with sessions() as session, session.begin():
        brand = make_brand(session)
        advocates = make_advocates(session, brand, PEOPLE)
        campaign = make_milestone(session, brand, at_least=2, codes=PEOPLE, budget_minor=500 * PEOPLE)
        for advocate in advocates:
            earn(session, campaign, advocate, 3)
    with listening() as mails:
        for place in MILESTONE_PLACES:
            assert run(start_worker(own_database, tmp_path, mails, place)) == EXIT_CODE, place
        assert run(start_worker(own_database, tmp_path, mails)) == 0
        assert audit(sessions, mails, crashes_while_sending=len(UNNOTED)) == []
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count(Milestone.id)).where(Milestone.state == "given")) == PEOPLE


def test_workers_killed_at_random_lose_and_double_nothing(
    sessions: Sessions, own_database: str, tmp_path: Path
) -> None:
    prepare(sessions)
    chance = random.Random(5)  # noqa: S311 - it chooses moments, not secrets
    with listening() as mails:
        for _kill in range(KILLS):
            worker = start_worker(own_database, tmp_path, mails)
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
            time.sleep(chance.random())
            worker.kill()
            worker.communicate()
        assert run(start_worker(own_database, tmp_path, mails)) == 0
        assert audit(sessions, mails, crashes_while_sending=KILLS) == []


@pytest.mark.parametrize(
    ("bug", "said"),
    [
        ("twice", "an advocate has two pushes"), ("code", "a code was given twice"), ("lost", "a push was not sent"),
        ("unbound", "a mail carries another code than the ledger"), ("repeated", "more copies than crashes"),
    ],
)  # fmt: skip
def test_the_audit_sees_what_it_is_there_for(bug: str, said: str) -> None:
    pushes = [(n, f"C{n}", f"<{n}@x>", "sent") for n in range(PEOPLE)]
    mails = MailServer()
    for _advocate, code, message_id, _state in pushes:
        mails.mails.append(a_mail(message_id, code))
    assert faults(pushes, mails, 0) == []
    if bug == "twice":
        pushes[1] = (0, *pushes[1][1:])
    elif bug == "code":
        pushes[1] = (1, "C0", *pushes[1][2:])
    elif bug == "lost":
        pushes[1] = (*pushes[1][:3], "earned")
    elif bug == "unbound":
        mails.mails[1] = a_mail("<1@x>", "other")
    else:
        mails.mails.append(a_mail("<1@x>", "C1"))
    assert said in faults(pushes, mails, 0)


def a_mail(message_id: str, code: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Message-ID"] = message_id
    mail.set_content(f"Your code: {code}")
    return mail


def test_a_failpoint_is_armed_only_in_a_test() -> None:
    program = "from amplify.core.failpoints import reach; reach('here'); print('alive')"
    codes = {}
    for env in ("test", "production", ""):
        environ = {**os.environ, "AMPLIFY_FAILPOINT": "here", "AMPLIFY_ENV": env}
        codes[env] = subprocess.run([sys.executable, "-c", program], env=environ, check=False).returncode  # noqa: S603
    assert codes == {"test": EXIT_CODE, "production": 0, "": 0}
