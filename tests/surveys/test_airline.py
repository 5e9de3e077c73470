"""The real file, as people have them: imported whole, once, and its NPS equal to what the csv module alone computes."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand, BusinessLine, Location
from amplify.core.paths import CONFIG
from amplify.customers.models import Customer
from amplify.surveys import import_job, importing, mapping, nps, queries
from amplify.surveys.models import ImportRun, Response

EXAMPLE = CONFIG / "imports" / "airline.toml"
BAD_ROW = (636, "Likelihood.to.recommend", "required", "NA")


@pytest.fixture
def chosen() -> mapping.Mapping:
    return mapping.load(EXAMPLE.read_text())


def _import(session: Session, brand: Brand, path: Path, chosen: mapping.Mapping) -> ImportRun:
    run = importing.new_run(session, brand, path, path.name, importing.sha256_of(path), "cli:test")
    importing.begin_unchecked(session, run, chosen, "cli:test")
    session.commit()
    return import_job.run(run.id)


def _counts_of_the_file(path: Path, column: str) -> dict[str, tuple[int, int, int]]:
    """Promoters, passives and detractors by the column's value: the csv module and nothing of ours."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["Likelihood.to.recommend"] != "NA":
                score = int(row["Likelihood.to.recommend"])
                found[row[column].strip()][0 if score > 8 else 1 if score > 6 else 2] += 1
    return {name: (p, n, d) for name, (p, n, d) in found.items()}


def test_the_dry_run_says_what_would_happen_and_stores_nothing(
    session: Session, brand: Brand, airline_csv: Path, chosen: mapping.Mapping
) -> None:
    report = importing.check(session, brand, airline_csv, chosen)
    assert (report.lines, report.new, report.known, report.rejected) == (10_282, 10_281, 0, 1)
    assert report.categories == {"promoter": 3755, "passive": 3258, "detractor": 3268}
    assert (report.n_business_lines, report.n_locations, report.anonymous) == (14, 197, 10_281)
    assert [(p.line, p.column, p.rule, p.value) for p in report.problems] == [BAD_ROW]
    for model in (Response, BusinessLine, Location):
        assert session.scalar(sa.select(sa.func.count()).select_from(model)) == 0


def test_the_file_imports_whole_and_a_second_run_changes_nothing(
    session: Session, brand: Brand, airline_csv: Path, chosen: mapping.Mapping
) -> None:
    run = _import(session, brand, airline_csv, chosen)
    assert (run.state, run.lines_done, run.stored, run.known, run.rejected) == ("done", 10_282, 10_281, 0, 1)
    assert [(p.line, p.column, p.rule, p.value) for p in queries.problems(session, run)] == [BAD_ROW]
    assert session.scalar(sa.select(sa.func.count(Response.id))) == 10_281
    assert session.scalar(sa.select(sa.func.count(Response.id)).where(Response.comment != "")) == 282
    assert session.scalar(sa.select(sa.func.count(Customer.id))) == 0

    for dimension, column in (("business_line", "Partner.Name"), ("location", "Origin.City")):
        expected = _counts_of_the_file(airline_csv, column)
        rows = queries.nps_by(session, brand.id, dimension)  # type: ignore[arg-type]
        assert {r.name: (r.promoters, r.passives, r.detractors) for r in rows} == expected
        for row in rows:
            p, n, d = expected[row.name or ""]
            assert row.nps == pytest.approx(100 * (p - d) / (p + n + d), abs=1e-9)
            assert row.n == p + n + d
            assert (row.low, row.high) == nps.interval(p, n, d)

    # A line with six answers does not top the list, whatever its score.
    *others, last = queries.nps_by(session, brand.id, "business_line")
    assert (last.name, last.n, last.is_small) == ("West Airways Inc.", 6, True)
    assert [row.nps for row in others] == sorted((row.nps for row in others), key=lambda score: -(score or 0))

    again = _import(session, brand, airline_csv, chosen)
    assert (again.state, again.stored, again.known, again.rejected) == ("done", 0, 10_281, 1)
    assert session.scalar(sa.select(sa.func.count(Response.id))) == 10_281
    assert importing.check(session, brand, airline_csv, chosen).known == 10_281
