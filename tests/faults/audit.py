"""The auditor: holds the ledger, the code pool, the budget and the mail server's journal against each other."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.core import jobs
from amplify.core.db import is_sqlite, reading
from amplify.delivery.sending import GROUP, GROUP_SECONDS
from amplify.rewards.models import Push, Reward, RewardCode
from tests.faults.sink import Copy

# A group is noted in one transaction; on a disk that others keep busy it takes a while.
NOTING_SECONDS = 1.0


@dataclass(frozen=True)
class Owed:
    """One row of the push ledger."""

    advocate: int
    code: str
    message_id: str
    state: str
    amount_minor: int


@dataclass
class Evidence:
    """Everything that is known of one campaign, from inside and from outside."""

    chosen: set[int]
    pushes: list[Owed]
    uploaded: set[str]
    taken: list[str]
    spent_minor: int
    occurrence: int
    journal: Sequence[Copy]
    killed: set[int]
    jobs: dict[str, int] = field(default_factory=dict)
    integrity: str = "ok"


def read(engine: Engine, campaign_id: int, chosen: set[int], journal: Sequence[Copy], killed: set[int]) -> Evidence:
    """The evidence as it stands now; the journal is read first, so that what is in it must be in the ledger."""
    seen = list(journal)
    with reading(), Session(engine) as session:
        campaign = session.get_one(Campaign, campaign_id)
        reward = session.scalars(sa.select(Reward).where(Reward.campaign_id == campaign_id)).one()
        pushes = session.scalars(sa.select(Push).where(Push.campaign_id == campaign_id)).all()
        ours = sa.select(RewardCode.code, RewardCode.push_id).where(RewardCode.reward_id == reward.id)
        codes = session.execute(ours).all()
        return Evidence(
            chosen=chosen,
            pushes=[Owed(p.advocate_id or 0, p.code or "", p.message_id, p.state, p.amount_minor) for p in pushes],
            uploaded={row.code for row in codes},
            taken=[row.code for row in codes if row.push_id is not None],
            spent_minor=reward.spent_minor,
            occurrence=campaign.occurrence,
            journal=[copy for copy in seen if copy.code in {row.code for row in codes} or not copy.code],
            killed=killed,
            jobs=jobs.count(session),
            integrity=session.scalar(sa.text("PRAGMA integrity_check")) if is_sqlite(session) else "ok",
        )


def is_done(found: Evidence) -> bool:
    """Every push is settled and no job is left; parked ones are done, and are told as stuck."""
    settled = len(found.pushes) >= len(found.chosen) and all(push.state != "earned" for push in found.pushes)
    return settled and not any(found.jobs.get(state) for state in ("waiting", "delayed", "running"))


def wrongs(found: Evidence, *, at_the_end: bool = True) -> list[str]:
    """What is wrong, one sentence each. In the middle of a campaign only what can never become right again."""
    told = [*_ledger(found), *_wire(found)]
    return [*told, *_end(found)] if at_the_end else told


def _ledger(found: Evidence) -> Iterator[str]:
    advocates = Counter(push.advocate for push in found.pushes)
    codes = Counter(push.code for push in found.pushes)
    if twice := [who for who, number in advocates.items() if number > 1]:
        yield f"{len(twice)} advocates have more than one push"
    if advocates.keys() - found.chosen:
        yield "somebody who was not chosen has a push"
    if twice_given := [code for code, number in codes.items() if number > 1]:
        yield f"{len(twice_given)} codes were given more than once"
    if codes.keys() - found.uploaded:
        yield "a push has a code that nobody uploaded"
    if found.occurrence > 1:
        yield f"it started {found.occurrence} times"
    if found.integrity != "ok":
        yield f"the database is damaged: {found.integrity}"


def _wire(found: Evidence) -> Iterator[str]:
    codes = {push.message_id: push.code for push in found.pushes}
    copies: dict[str, list[Copy]] = defaultdict(list)
    for copy in found.journal:
        copies[copy.message_id].append(copy)
    if strange := copies.keys() - codes.keys():
        yield f"{len(strange)} mails are not in the ledger"
    if any(copy.code != codes.get(copy.message_id, copy.code) for copy in found.journal):
        yield "a copy carries another code than the ledger"
    if lost := [p for p in found.pushes if p.state == "sent" and p.message_id not in copies]:
        yield f"{len(lost)} pushes are called sent and never left"
    not_noted = _not_noted(found)
    if extra := sum(not _is_explained(same, not_noted) for same in copies.values()):
        yield f"{extra} pushes left again although nobody died before they were noted"


def _not_noted(found: Evidence) -> set[Copy]:
    """The copies whose note may have died with their worker: the last group of each of its connections, no more."""
    sent: dict[int, list[Copy]] = defaultdict(list)
    for copy in found.journal:
        if copy.worker in found.killed:
            sent[copy.connection].append(copy)
    last = (copies[-GROUP:] for copies in sent.values())
    return {copy for copies in last for copy in copies if copy.at >= copies[-1].at - GROUP_SECONDS - NOTING_SECONDS}


def _is_explained(same: list[Copy], not_noted: set[Copy]) -> bool:
    """Whether all copies of one push but one were cut off from their note."""
    return len(same) <= 1 + sum(copy in not_noted for copy in same)


def _end(found: Evidence) -> Iterator[str]:
    if missing := found.chosen - {push.advocate for push in found.pushes}:
        yield f"{len(missing)} chosen advocates have no push"
    if unsent := [push for push in found.pushes if push.state != "sent"]:
        yield f"{len(unsent)} pushes were not sent"
    if sorted(found.taken) != sorted(push.code for push in found.pushes):
        yield "the pool and the ledger disagree on which codes are taken"
    if found.spent_minor != sum(push.amount_minor for push in found.pushes):
        yield "the budget is not what the ledger says"
    if stuck := {state: number for state, number in found.jobs.items() if number}:
        yield f"jobs are stuck: {stuck}"


def repeats(found: Evidence) -> int:
    """How many copies reached the wire beyond the first of each push."""
    return len(found.journal) - len({copy.message_id for copy in found.journal})
