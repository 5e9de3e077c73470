"""A file is imported once: cut off, repeated, changed, worked on by two, it comes out the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.brands.models import Brand, Location
from amplify.core import jobs
from amplify.core.errors import Conflict, InvalidInput
from amplify.customers.models import ConsentChange, Customer
from amplify.customers.services import find_or_create
from amplify.surveys import import_job, importing, mapping, queries, rows
from amplify.surveys.events import SurveyAnswered
from amplify.surveys.models import ImportRun, Response

FIELDS = '[fields]\nexternal_id = "Id"\ngiven = "Score"\nlocation = "Place"\n'
PEOPLE = FIELDS + 'customer_email = "Mail"\ncustomer_name = "Name"\ncustomer_consent = "Consent"\n'
Prepare = Callable[..., ImportRun]


@pytest.fixture
def prepare(session: Session, brand: Brand, tmp_path: Path) -> Prepare:
    """A run of a file with this content and mapping, begun but not worked on."""

    def made(content: str, fields: str = FIELDS, top: str = "", name: str = "answers.csv") -> ImportRun:
        path = tmp_path / name
        path.write_text(content)
        chosen = mapping.load(f'name = "x"\n{top}\n{fields}')
        run = importing.new_run(session, brand, path, path.name, importing.sha256_of(path), "user:1")
        importing.begin_unchecked(session, run, chosen, "user:1")
        session.commit()
        return run

    return made


def _n(session: Session, model: Any) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def _lines(n: int) -> str:
    return "Id,Score,Place\n" + "".join(f"r{i},{i % 11},Place {i % 3}\n" for i in range(n))


def test_a_run_that_was_cut_off_goes_on_where_it_was(session: Session, prepare: Prepare) -> None:
    run = prepare(_lines(35) + "bad,99,Place 1\n")

    class Killed(BaseException):
        pass

    def kill(one: ImportRun) -> None:
        if one.lines_done == 20:
            raise Killed

    with pytest.raises(Killed):
        import_job.run(run.id, kill, size=10)
    session.rollback()
    assert (run.state, run.lines_done, _n(session, Response)) == ("running", 20, 20)
    import_job.work({"run": run.id})
    session.refresh(run)
    assert (run.state, run.lines_done, run.stored, run.known, run.rejected) == ("done", 36, 35, 0, 1)
    assert [(p.line, p.rule) for p in queries.problems(session, run)] == [(37, "out-of-scale")]


def test_a_run_that_is_done_is_not_done_again(session: Session, prepare: Prepare) -> None:
    run = prepare(_lines(5))
    import_job.work({"run": run.id})
    import_job.work({"run": run.id})
    session.refresh(run)
    assert (run.state, run.stored, run.known) == ("done", 5, 0)


def test_a_chunk_that_somebody_else_stored_is_left_alone(session: Session, brand: Brand, prepare: Prepare) -> None:
    run = prepare(_lines(5))
    chosen = importing.mapping_of(run)
    (chunk,) = rows.chunks(Path(run.file_path), chosen)
    assert importing.take(session, brand, run, chosen, chunk, 0)
    assert not importing.take(session, brand, run, chosen, chunk, 0)
    assert (run.stored, run.known, _n(session, Response)) == (5, 0, 5)


def test_the_same_file_again_is_known_and_a_changed_row_is_a_conflict(session: Session, prepare: Prepare) -> None:
    import_job.work({"run": prepare(_lines(5)).id})
    changed = prepare(_lines(5).replace("r3,3,", "r3,10,"), name="changed.csv")
    import_job.work({"run": changed.id})
    session.refresh(changed)
    assert (changed.stored, changed.known, changed.rejected) == (0, 4, 1)
    (problem,) = queries.problems(session, changed)
    assert (problem.line, problem.column, problem.rule, problem.value) == (5, "Id", "same-id-other-content", "r3")
    stored = session.scalars(sa.select(Response).where(Response.external_id == "r3")).one()
    assert stored.given == 3


def test_a_changed_row_is_a_new_version_if_the_mapping_says_so(
    session: Session, prepare: Prepare, heard: list[SurveyAnswered]
) -> None:
    top = 'on_conflict = "new_version"\nask = true'
    import_job.work({"run": prepare(_lines(5)).id})
    changed = prepare(_lines(5).replace("r3,3,", "r3,10,"), top=top, name="changed.csv")
    import_job.work({"run": changed.id})
    session.refresh(changed)
    assert (changed.stored, changed.versions, changed.known, changed.rejected) == (1, 1, 4, 0)
    versions = session.scalars(sa.select(Response).where(Response.external_id == "r3").order_by(Response.revision))
    assert [(r.revision, r.given, r.superseded_at is None) for r in versions] == [(1, 3, False), (2, 10, True)]
    assert [(fact.response.external_id, fact.response.revision) for fact in heard] == [("r3", 2)]


@pytest.mark.parametrize("top", ["", 'on_conflict = "new_version"'])
def test_an_older_file_again_does_not_turn_an_answer_back(session: Session, prepare: Prepare, top: str) -> None:
    versions = 'on_conflict = "new_version"'
    import_job.work({"run": prepare(_lines(5)).id})
    import_job.work({"run": prepare(_lines(5).replace("r3,3,", "r3,10,"), top=versions, name="new.csv").id})
    again = prepare(_lines(5), top=top, name="old.csv")
    import_job.work({"run": again.id})
    session.refresh(again)
    assert (again.stored, again.known, again.rejected) == (0, 5, 0)
    latest = session.scalars(
        sa.select(Response).where(Response.external_id == "r3", Response.superseded_at.is_(None))
    ).one()
    assert (latest.revision, latest.given) == (2, 10)


def test_versions_that_stand_in_one_file_follow_each_other(session: Session, prepare: Prepare) -> None:
    content = "Id,Score,Place\na,9,Lima\na,9,Lima\na,3,Lima\na,5,Lima\n"
    run = prepare(content, top='on_conflict = "new_version"')
    import_job.work({"run": run.id})
    session.refresh(run)
    assert (run.stored, run.versions, run.known) == (3, 2, 1)
    rows_ = session.scalars(sa.select(Response).order_by(Response.revision))
    assert [(r.revision, r.given, r.superseded_at is None) for r in rows_] == [
        (1, 9, False),
        (2, 3, False),
        (3, 5, True),
    ]


def test_the_dry_run_says_how_many_rows_would_be_new_versions(session: Session, brand: Brand, prepare: Prepare) -> None:
    import_job.work({"run": prepare(_lines(5)).id})
    changed = prepare(_lines(6).replace("r3,3,", "r3,10,"), top='on_conflict = "new_version"', name="changed.csv")
    report = importing.check(session, brand, Path(changed.file_path), importing.mapping_of(changed))
    assert (report.new, report.versions, report.known, report.rejected) == (2, 1, 4, 0)
    assert _n(session, Response) == 5


def test_an_id_that_stands_twice_in_a_file_is_stored_once(session: Session, prepare: Prepare) -> None:
    run = prepare("Id,Score,Place\na,9,Lima\na,9,Lima\na,3,Lima\n")
    import_job.work({"run": run.id})
    session.refresh(run)
    assert (run.stored, run.versions, run.known, run.rejected) == (1, 0, 1, 1)


def test_people_are_found_or_made_and_nobody_else_is(session: Session, brand: Brand, prepare: Prepare) -> None:
    known = find_or_create(session, brand, email="ana@shop.example", name="Ana")
    assert known is not None
    run = prepare(
        "Id,Score,Place,Mail,Name,Consent\n"
        "1,9,Lima,Ana@shop.example,Ana,yes\n"
        "2,9,Lima,ben@shop.example,Ben,no\n"
        "3,8,Lima,,,\n"
        "4,7,Lima,cyd@shop.example,Cyd,\n"
        "5,7,Lima,CYD@shop.example,,yes\n",
        PEOPLE,
    )
    import_job.work({"run": run.id})
    answers = {r.external_id: r for r in session.scalars(sa.select(Response))}
    assert answers["1"].customer_id == known.id
    assert answers["3"].customer_id is None
    assert answers["4"].customer_id == answers["5"].customer_id
    people = {c.email_normal: (c.name, c.consent) for c in session.scalars(sa.select(Customer))}
    assert people == {
        "ana@shop.example": ("Ana", True),
        "ben@shop.example": ("Ben", False),
        "cyd@shop.example": ("Cyd", True),
    }
    assert _n(session, ConsentChange) == 3
    assert {c.source for c in session.scalars(sa.select(ConsentChange))} == {"import:x"}


def test_a_file_does_not_give_back_a_consent_that_was_withdrawn(
    session: Session, brand: Brand, prepare: Prepare
) -> None:
    find_or_create(session, brand, email="ana@shop.example", consent=False, consent_source="unsubscribed")
    run = prepare("Id,Score,Place,Mail,Name,Consent\n1,9,Lima,ana@shop.example,Ana,yes\n", PEOPLE)
    import_job.work({"run": run.id})
    assert session.scalars(sa.select(Customer.consent)).all() == [False]


def test_numbers_and_the_consent_to_text_messages_come_with_a_file(session: Session, prepare: Prepare) -> None:
    fields = PEOPLE + 'customer_phone = "Phone"\ncustomer_sms_consent = "Text"\n'
    run = prepare(
        "Id,Score,Place,Mail,Name,Consent,Phone,Text\n"
        "1,9,Lima,ana@shop.example,Ana,yes,+34 600 12 34 56,yes\n"
        "2,9,Lima,ben@shop.example,Ben,,+51 987 654 321,no\n"
        "3,9,Lima,cyd@shop.example,Cyd,,987654321,yes\n"
        "4,9,Lima,dee@shop.example,Dee,,,\n",
        fields,
    )
    import_job.work({"run": run.id})
    session.refresh(run)
    assert (run.stored, run.rejected) == (3, 1)
    people = {c.name: (c.phone, c.consent, c.sms_consent) for c in session.scalars(sa.select(Customer))}
    assert people == {
        "Ana": ("+34600123456", True, True),
        "Ben": ("+51987654321", None, False),
        "Dee": (None, None, None),
    }
    said = session.execute(sa.select(ConsentChange.channel, ConsentChange.consent).order_by(ConsentChange.id))
    assert sorted(tuple(row) for row in said) == [("", True), ("sms", False), ("sms", True)]


def test_imported_history_is_not_asked(session: Session, prepare: Prepare, heard: list[SurveyAnswered]) -> None:
    import_job.work({"run": prepare(_lines(11)).id})
    assert heard == []
    assert _n(session, Response) == 11


def test_new_answers_are_told_when_the_mapping_asks(
    session: Session, prepare: Prepare, heard: list[SurveyAnswered]
) -> None:
    import_job.work({"run": prepare(_lines(11), top="ask = true").id})
    import_job.work({"run": prepare(_lines(12), top="ask = true", name="more.csv").id})
    assert [fact.response.external_id for fact in heard] == [f"r{i}" for i in range(12)]


def test_places_that_are_spelled_differently_are_one(session: Session, prepare: Prepare) -> None:
    import_job.work({"run": prepare("Id,Score,Place\n1,9,São Paulo\n2,9,Sao Paulo\n3,9,SAO-PAULO\n").id})
    (place,) = session.scalars(sa.select(Location))
    assert place.key == "sao-paulo"
    assert {r.location_id for r in session.scalars(sa.select(Response))} == {place.id}


def test_a_file_that_is_gone_fails_the_run_with_a_reason(session: Session, prepare: Prepare) -> None:
    run = prepare(_lines(3))
    Path(run.file_path).unlink()
    import_job.work({"run": run.id})
    session.refresh(run)
    assert (run.state, run.reason) == ("failed", "file-gone")


def test_a_mapping_that_does_not_fit_fails_the_dry_run_with_a_reason(session: Session, prepare: Prepare) -> None:
    run = prepare("Score\n9\n")
    run.state = "checking"
    session.commit()
    import_job.work({"run": run.id})
    session.refresh(run)
    assert run.state == "failed"
    assert "Id" in run.reason


def test_the_dry_run_and_the_run_are_done_by_the_worker(session: Session, brand: Brand, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(_lines(4) + "r9,x,Lima\n")
    run = importing.new_run(session, brand, path, "a.csv", importing.sha256_of(path), "user:1")
    importing.begin_check(session, run, mapping.load(f'name = "x"\n{FIELDS}'))
    jobs.enqueue(session, import_job.JOB, {"run": run.id}, key=f"{run.id}-check")
    assert jobs.drain(session) == 1
    session.refresh(run)
    assert (run.state, run.report["new"], run.report["n_locations"], run.rejected) == ("checked", 4, 3, 1)
    assert (_n(session, Response), len(queries.problems(session, run))) == (0, 1)
    importing.begin(session, run, "user:2")
    jobs.enqueue(session, import_job.JOB, {"run": run.id}, key=f"{run.id}-run")
    assert jobs.drain(session) == 1
    session.refresh(run)
    assert (run.state, run.stored, run.rejected) == ("done", 4, 1)
    actions = session.scalars(sa.select(AuditEntry.action).where(AuditEntry.subject_kind == "import"))
    assert list(actions) == ["import.started", "import.finished"]


def test_a_run_starts_only_after_its_dry_run_and_only_once(session: Session, prepare: Prepare) -> None:
    run = prepare(_lines(1))
    with pytest.raises(Conflict):
        importing.begin(session, run, "user:1")
    import_job.work({"run": run.id})
    session.refresh(run)
    with pytest.raises(Conflict):
        importing.begin_check(session, run, importing.mapping_of(run))


def test_a_cut_off_run_is_found_by_file_and_mapping(session: Session, brand: Brand, prepare: Prepare) -> None:
    run = prepare(_lines(2))
    chosen = importing.mapping_of(run)
    assert importing.unfinished(session, brand, run.file_sha256, chosen) is run
    assert importing.unfinished(session, brand, "0" * 64, chosen) is None
    other = mapping.load(f'name = "y"\n{FIELDS}')
    assert importing.unfinished(session, brand, run.file_sha256, other) is None


def test_the_problems_that_are_kept_are_bounded_and_all_are_counted(
    session: Session, prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "KEPT_PROBLEMS", 3)
    run = prepare("Id,Score,Place\n" + "a,x,Lima\n" * 8)
    import_job.work({"run": run.id})
    session.refresh(run)
    assert run.rejected == 8
    assert [p.line for p in queries.problems(session, run)] == [2, 3, 4]


def test_the_mapping_is_checked_before_a_run_begins(session: Session, brand: Brand, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Other\n9\n")
    with pytest.raises(InvalidInput) as refused:
        importing.check(session, brand, path, mapping.load(f'name = "x"\n{FIELDS}'))
    assert refused.value.field == "fields.external_id.column"
