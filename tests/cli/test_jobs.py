"""`amplify jobs`."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify import wiring
from amplify.core import jobs, leases
from tests.cli.conftest import Amplify


@jobs.job("cli-test", attempts=1)
def fail(payload: dict[str, Any]) -> None:
    """Fails for good."""
    raise jobs.Permanent("no such mailbox")


def prepared(amplify: Amplify, environment: dict[str, str]) -> sa.Engine:
    assert amplify("db", "upgrade").returncode == 0
    return sa.create_engine(environment["AMPLIFY_DATABASE_URL"])


def test_parked_jobs_are_listed_with_their_reason_and_put_back(amplify: Amplify, environment: dict[str, str]) -> None:
    engine = prepared(amplify, environment)
    with Session(engine) as session:
        jobs.enqueue(session, "cli-test", {}, key="k")
        jobs.drain(session)
        # Under a name that the command knows too; it is not run here.
        known = wiring.JOBS[0].name
        renamed = f"UPDATE {table(engine)} SET name = :name"  # noqa: S608
        session.execute(sa.text(renamed), {"name": known})
        session.commit()
    told = json.loads(amplify("jobs", "list", "--json").stdout)
    assert (told["waiting"], told["parked"]) == (0, 1)
    assert told["parked_jobs"][0]["error"] == "Permanent: no such mailbox"
    assert "no such mailbox" in amplify("jobs", "list").stdout
    assert amplify("jobs", "retry", "none").returncode == 1
    assert amplify("jobs", "retry").returncode == 2
    assert json.loads(amplify("jobs", "retry", "--all", "--json").stdout) == {"retried": 1}
    told = json.loads(amplify("jobs", "list", "--json").stdout)
    assert (told["waiting"], told["parked"]) == (1, 0)
    engine.dispose()


def test_the_jobs_of_the_dead_are_adopted_and_those_of_the_living_are_not(
    amplify: Amplify, environment: dict[str, str]
) -> None:
    engine = prepared(amplify, environment)
    with Session(engine) as session:
        for executor in ("dead", "alive"):
            jobs.enqueue(session, "cli-test", {}, key=executor)
            take = f"UPDATE {table(engine)} SET status = 'PENDING', executor_id = :by WHERE workflow_uuid = :id"  # noqa: S608
            session.execute(sa.text(take), {"by": executor, "id": f"cli-test/1/{executor}"})
        leases.take(session, "worker:alive", "alive", 600)
        session.commit()
    assert amplify("jobs", "adopt", "alive").returncode == 1
    assert json.loads(amplify("jobs", "adopt", "--json").stdout) == {"adopted": 1}
    assert json.loads(amplify("jobs", "adopt", "--json").stdout) == {"adopted": 0}
    with Session(engine) as session:
        assert jobs.unfinished_of(session) == {"alive": 1}
    engine.dispose()


def table(engine: sa.Engine) -> str:
    return "workflow_status" if engine.dialect.name == "sqlite" else "dbos.workflow_status"
