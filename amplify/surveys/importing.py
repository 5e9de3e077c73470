"""Importing a file of answers: the dry run that reports what would happen, and the run, chunk by chunk, resumable."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.brands.models import Brand, BusinessLine, Location
from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.errors import Conflict, NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.surveys import bulk, mapping, rows
from amplify.surveys.mapping import Mapping
from amplify.surveys.models import ImportProblem, ImportRun, normalised

# A file can be wrong in every row; more problems than this help nobody.
KEPT_PROBLEMS = 10_000
SHOWN_PLACES = 200
NO_ID_COLUMN = "-"  # the id is made from the row itself


@dataclass
class Report:
    """What a dry run found. `new` answers would be stored: so many of each category, so many anonymous; `versions` of
    them are new versions of stored ones."""

    lines: int = 0
    new: int = 0
    versions: int = 0
    known: int = 0
    rejected: int = 0
    anonymous: int = 0
    categories: dict[str, int] = field(default_factory=lambda: {"promoter": 0, "passive": 0, "detractor": 0})
    business_lines: list[str] = field(default_factory=list)
    locations: list[str] = field(default_factory=list)
    n_business_lines: int = 0
    n_locations: int = 0
    problems: list[rows.Problem] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without the problems: they have rows of their own."""
        return {name: value for name, value in asdict(self).items() if name != "problems"}


def sha256_of(path: Path) -> str:
    """Digest of the file's content, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def header_of(path: Path, chosen: Mapping) -> list[str]:
    """The file's columns. Raises Malformed."""
    return rows.header_of(path, chosen.csv)


def count_rows(path: Path, chosen: Mapping) -> int:
    """How many rows the file has below its header."""
    return sum(1 for _ in rows.records(path, chosen.csv))


def check(
    session: Session, brand: Brand, path: Path, chosen: Mapping, on_chunk: Callable[[int], None] = lambda n: None
) -> Report:
    """The dry run: reads everything, stores nothing. `on_chunk` hears how many rows are done.

    Raises InvalidInput if the mapping does not fit the file, Malformed if the file cannot be read.
    """
    report = Report()
    lines: set[str] = set()
    places: set[str] = set()
    for chunk in rows.chunks(path, chosen):
        found = bulk.sort_out(session, brand, chosen, chunk.taken, _id_column(chosen))
        report.lines += chunk.n
        report.known += found.known
        report.versions += found.versions
        report.rejected += chunk.rejected + len(found.problems)
        _keep(report.problems, [*chunk.problems, *found.problems])
        _count(report, brand, found.new)
        lines.update(one.answer.business_line or "" for one in found.new)
        places.update(one.answer.location or "" for one in found.new)
        on_chunk(report.lines)
    report.business_lines, report.n_business_lines = _missing(session, brand, BusinessLine, lines)
    report.locations, report.n_locations = _missing(session, brand, Location, places)
    return report


def _id_column(chosen: Mapping) -> str:
    rule = chosen.fields.get("external_id")
    return rule.column if rule else NO_ID_COLUMN


def _keep(kept: list[rows.Problem], more: Iterable[rows.Problem]) -> None:
    kept.extend(sorted(more, key=lambda p: p.line)[: max(0, KEPT_PROBLEMS - len(kept))])


def _count(report: Report, brand: Brand, new: list[rows.Taken]) -> None:
    categories = Counter(brand.category_of(normalised(t.answer.scale, t.answer.given)) for t in new)
    for name, n in categories.items():
        report.categories[name] += n
    report.new += len(new)
    report.anonymous += sum(not t.answer.customer.has_contact for t in new)


def _missing(session: Session, brand: Brand, model: Any, keys: set[str]) -> tuple[list[str], int]:
    known = bulk.known_places(session, brand.id, model, keys)
    missing = sorted(key for key in keys if key and key not in known)
    return missing[:SHOWN_PLACES], len(missing)


def new_run(
    session: Session, brand: Brand, path: Path, file_name: str, sha256: str, actor: str, state: str = "uploaded"
) -> ImportRun:
    """A run for an uploaded file that has no mapping yet."""
    run = ImportRun(
        brand_id=brand.id,
        file_name=file_name[:200],
        file_sha256=sha256,
        file_path=str(path),
        mapping={},
        state=state,
        started_by=actor[:200],
    )
    session.add(run)
    session.flush()
    return run


def run_of(session: Session, brand: Brand, run_id: int) -> ImportRun:
    """The brand's run. Raises NotFound."""
    found = session.scalar(sa.select(ImportRun).where(ImportRun.brand_id == brand.id, ImportRun.id == run_id))
    if found is None:
        raise NotFound(_l("There is no such import."), rule="import-unknown")
    return found


def unfinished(session: Session, brand: Brand, sha256: str, chosen: Mapping) -> ImportRun | None:
    """A run of the same file with the same mapping that was cut off, to be gone on with."""
    mine = sa.select(ImportRun).where(
        ImportRun.brand_id == brand.id, ImportRun.file_sha256 == sha256, ImportRun.state == "running"
    )
    plain = chosen.model_dump(mode="json")
    return next((run for run in session.scalars(mine.order_by(ImportRun.id)) if run.mapping == plain), None)


def begin_check(session: Session, run: ImportRun, chosen: Mapping) -> None:
    """Choose the mapping; the dry run comes next. Raises Conflict once the run has begun."""
    if run.state not in ("uploaded", "checking", "checked", "failed") or run.lines_done:
        raise _too_late()
    run.mapping, run.state, run.reason, run.report = chosen.model_dump(mode="json"), "checking", "", {}
    session.execute(sa.delete(ImportProblem).where(ImportProblem.run_id == run.id))


def begin_unchecked(session: Session, run: ImportRun, chosen: Mapping, actor: str) -> None:
    """Start the real run without a stored dry run, as the command line does."""
    begin_check(session, run, chosen)
    run.state = "checked"
    begin(session, run, actor)


def keep_report(session: Session, run: ImportRun, report: Report) -> None:
    """The dry run is done."""
    run.report, run.lines_total, run.rejected, run.state = report.as_dict(), report.lines, report.rejected, "checked"
    _keep_problems(session, run, report.problems)


def begin(session: Session, run: ImportRun, actor: str) -> None:
    """Start the real run after its dry run. Raises Conflict if that is not its state."""
    if run.state != "checked":
        raise _too_late()
    run.state, run.rejected, run.started_by = "running", 0, actor[:200]
    session.execute(sa.delete(ImportProblem).where(ImportProblem.run_id == run.id))
    audit.record(session, run.brand_id, actor, "import.started", "import", run.id, {"file": run.file_name})


def _too_late() -> Conflict:
    return Conflict(_l("This import is past that step."), rule="import-state")


def take(session: Session, brand: Brand, run: ImportRun, chosen: Mapping, chunk: rows.Chunk, start: int) -> bool:
    """Store one chunk that begins after `start` rows, and move the run's cursor, in the caller's transaction.

    False, and nothing stored, if the cursor is elsewhere: somebody else works on this run.
    """
    session.refresh(run, with_for_update=True)
    if run.state != "running" or run.lines_done != start:
        return False
    found = bulk.sort_out(session, brand, chosen, chunk.taken, _id_column(chosen))
    new = bulk.store(session, brand, found.new, ask=chosen.ask)
    run.stored += new
    run.versions += found.versions
    run.known += found.known + len(found.new) - new
    run.rejected += chunk.rejected + len(found.problems)
    run.lines_done += chunk.n
    _keep_problems(session, run, [*chunk.problems, *found.problems])
    return True


def _keep_problems(session: Session, run: ImportRun, problems: list[rows.Problem]) -> None:
    kept = session.scalar(sa.select(sa.func.count()).where(ImportProblem.run_id == run.id)) or 0
    fresh = sorted(problems, key=lambda p: p.line)[: max(0, KEPT_PROBLEMS - kept)]
    rows_ = [{"run_id": run.id, **asdict(p), "column": p.column[:200], "value": p.value[:200]} for p in fresh]
    insert_ignore(session, ImportProblem, rows_)


def finish(session: Session, run: ImportRun) -> None:
    """Every row was looked at."""
    run.state, run.finished_at, run.lines_total = "done", clock.now(), run.lines_done
    detail = {"stored": run.stored, "versions": run.versions, "known": run.known, "rejected": run.rejected}
    audit.record(session, run.brand_id, run.started_by, "import.finished", "import", run.id, detail)


def fail(run: ImportRun, reason: str) -> None:
    """The run cannot go on; what it stored stays."""
    run.state, run.reason, run.finished_at = "failed", reason, clock.now()


def mapping_of(run: ImportRun) -> Mapping:
    """The run's mapping. Raises InvalidInput if it has none."""
    return mapping.build(run.mapping)
