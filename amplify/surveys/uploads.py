"""An uploaded file and the form that maps its columns: what the console adds around `importing`.

An upload holds people's words and addresses, so it goes as soon as it is imported, as soon as anybody of the brand is
erased, and KEPT after it came in any case.
"""

import hashlib
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage, MultiDict

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.errors import Gone, Malformed
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.jobs import enqueue
from amplify.core.tokens import short_code
from amplify.core.web import amplify
from amplify.surveys import importing, mapping, queries, rows
from amplify.surveys.import_job import JOB
from amplify.surveys.mapping import FIELDS, Dialect, Mapping
from amplify.surveys.models import ImportProblem, ImportRun
from amplify.surveys.words import ERASED_SINCE

PIECE = 1 << 20
SAMPLES = 3
KEPT = timedelta(days=7)


def folder() -> Path:
    """Where uploads of this installation lie."""
    return amplify().settings.data_dir / "imports"


def keep(upload: FileStorage) -> tuple[Path, str]:
    """Write the upload down under a name of ours; its path and SHA-256. Raises Malformed when it is empty."""
    folder().mkdir(parents=True, exist_ok=True)
    path = folder() / f"{short_code(22)}.csv"
    digest = hashlib.sha256()
    with path.open("xb") as file:
        while piece := upload.stream.read(PIECE):
            digest.update(piece)
            file.write(piece)
    if not path.stat().st_size:
        path.unlink()
        raise Malformed(_l("The file is empty."), field="file", rule="empty")
    return path, digest.hexdigest()


def dialect_of(run: ImportRun) -> Dialect:
    """How the file is written, as chosen at the upload or in the mapping."""
    return Dialect.model_validate(run.mapping.get("csv", {}))


def sample_of(run: ImportRun) -> tuple[list[str], list[list[str]]]:
    """The header and the first rows. Raises Malformed, or Gone once the file has served."""
    path, dialect = Path(run.file_path), dialect_of(run)
    if not path.is_file():
        raise Gone(_l("The uploaded file is gone. Upload it again."), rule="file-gone")
    header = rows.header_of(path, dialect)
    first = [record.cells for record, _ in zip(rows.records(path, dialect), range(SAMPLES), strict=False)]
    return header, [cells for cells in first if cells is not None]


def suggested(session: Session, brand: Brand, run: ImportRun, header: list[str]) -> dict[str, Any]:
    """The run's own mapping, else the one of the brand's latest import that fits this header, else only the dialect."""
    if run.mapping.get("fields"):
        return dict(run.mapping)
    for other in queries.runs(session, brand):
        columns = {rule["column"] for rule in other.mapping.get("fields", {}).values()}
        if other.id != run.id and columns and columns <= set(header):
            return {**other.mapping, "csv": run.mapping["csv"]}
    return dict(run.mapping)


def form_values(plain: dict[str, Any]) -> dict[str, Any]:
    """A mapping as the fields of forms.MappingForm."""
    dates, values = plain.get("dates", {}), plain.get("values", {})
    return {
        "name": plain.get("name", ""),
        "scale": plain.get("scale", "nps"),
        "empty": ", ".join(values.get("empty", ["NA"])),
        "formats": "\n".join(dates.get("formats", [mapping.ISO])),
        "timezone": dates.get("timezone", "UTC"),
        "on_conflict": plain.get("on_conflict", "refuse"),
        "ask": plain.get("ask", False),
    }


def build(base: dict[str, Any], form: dict[str, Any], columns: MultiDict[str, str]) -> Mapping:
    """The mapping that the form says. Rules of a field that the form cannot show stay as they were in `base`.

    Raises InvalidInput naming keys of the mapping.
    """
    before = base.get("fields", {})
    fields = {
        name: {**before.get(name, {}), "column": columns[f"column-{name}"]}
        for name in FIELDS
        if columns.get(f"column-{name}")
    }
    values = {**base.get("values", {}), "empty": _parts(form["empty"], ",")}
    dates = {"formats": _parts(form["formats"], "\n") or [mapping.ISO], "timezone": form["timezone"].strip()}
    said = {name: form[name] for name in ("name", "scale", "on_conflict", "ask")}
    constants = {name: value for name, value in base.get("constants", {}).items() if name not in fields}
    return mapping.build(
        {**said, "csv": base["csv"], "dates": dates, "values": values, "fields": fields, "constants": constants}
    )


def _parts(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def order(session: Session, run: ImportRun) -> None:
    """Let the worker do what the run's state asks for. The key never repeats: a dry run may be done again."""
    enqueue(session, JOB, {"run": run.id}, key=f"{run.id}-{run.state}-{short_code(6)}")


def begin_check(session: Session, run: ImportRun, chosen: Mapping) -> None:
    """The mapping is chosen: check it against the header at once, the rows in the worker."""
    mapping.check_columns(chosen, importing.header_of(Path(run.file_path), chosen))
    importing.begin_check(session, run, chosen)
    order(session, run)


def begin(session: Session, run: ImportRun, actor: str) -> None:
    """The dry run was fine: start."""
    importing.begin(session, run, actor)
    order(session, run)


def withdraw(session: Session, brand_id: int) -> None:
    """Delete every upload of the brand and the cells noted about bad rows: any of them may name whoever was erased.

    An import that was to use such a file has failed; one that is storing rows stops after those.
    """
    mine = sa.select(ImportRun).where(ImportRun.brand_id == brand_id)
    locked = mine.order_by(ImportRun.id).with_for_update().execution_options(populate_existing=True)
    for run in session.scalars(locked):
        upload = folder() / Path(run.file_path).name  # a file of the command line lies elsewhere, and stays
        if upload.is_file():
            upload.unlink(missing_ok=True)
            if run.state != "done":
                importing.fail(run, ERASED_SINCE)
    ours = mine.with_only_columns(ImportRun.id)
    noted = sa.update(ImportProblem).where(ImportProblem.run_id.in_(ours)).values(value="", message="")
    session.execute(noted.execution_options(synchronize_session=False))


def clear_away(session: Session, limit: int) -> int:
    """Worker round: delete uploads that nobody came back to. Returns how many."""
    oldest = (clock.now() - KEPT).timestamp()
    gone = 0
    for file in folder().glob("*"):
        with suppress(FileNotFoundError):  # its import may end just now
            if gone < limit and file.stat().st_mtime < oldest:
                file.unlink()
                gone += 1
    return gone
