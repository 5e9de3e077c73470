"""Reads a file of answers row by row, in flat memory: each row is an answer or a list of what is wrong with it."""

import csv
import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from amplify.core.boundary import faults_of
from amplify.core.errors import Malformed
from amplify.core.i18n import lazy_gettext as _l
from amplify.surveys.mapping import ISO, PATHS, Dialect, FieldRule, Mapping, check_columns, place
from amplify.surveys.schemas import ResponseIn

CHUNK = 10_000
# A line beyond this is no row of a survey; without a bound one line could fill the memory.
LONGEST_LINE = 1_000_000
YES, NO = {"true", "yes", "1", "y"}, {"false", "no", "0", "n"}


@dataclass(frozen=True)
class Record:
    """One row as it stands in the file; `line` is the physical line it begins on, `cells` None if unreadable."""

    line: int
    cells: list[str] | None


@dataclass(frozen=True)
class Problem:
    """Why a row was not taken: where, which column, which rule, and the cell."""

    line: int
    column: str
    rule: str
    message: str
    value: str


@dataclass(frozen=True)
class Taken:
    """A row that became an answer, with the digest of what it says."""

    line: int
    answer: ResponseIn
    body_hash: str


@dataclass
class Chunk:
    """Some rows in order: `n` read, of which some were taken and the others have problems."""

    n: int = 0
    taken: list[Taken] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    rejected: int = 0


def header_of(path: Path, dialect: Dialect) -> list[str]:
    """The names of the columns. Raises Malformed when there is no readable header."""
    header = next(_read(path, dialect), None)
    if header is None or not header.cells:
        raise Malformed(_l("The file is empty."), field="file", rule="empty")
    if any("\0" in name or not _is_text(name) for name in header.cells):
        raise Malformed(_l("The first line cannot be read in this encoding."), field="file", rule="encoding")
    return header.cells


def records(path: Path, dialect: Dialect) -> Iterator[Record]:
    """Every row below the header, blank lines left out. Raises Malformed for a line without end."""
    return islice(_read(path, dialect), 1, None)


def _read(path: Path, dialect: Dialect) -> Iterator[Record]:
    # Bytes that are not of this encoding become lone surrogates, so that they are found in their row, not before.
    with path.open(encoding=dialect.encoding, errors="surrogateescape", newline="") as file:
        reader = csv.reader(_lines(file), delimiter=dialect.delimiter, quotechar=dialect.quote)
        line = 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield Record(line, None)
            else:
                if cells:
                    yield Record(line, cells)
            line = reader.line_num + 1


def _lines(file: Any) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise Malformed(_l("The file has a line without end."), field="file", rule="line-length")
        yield line


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def chunks(path: Path, mapping: Mapping, *, skip: int = 0, size: int = CHUNK) -> Iterator[Chunk]:
    """The file's rows in chunks of `size`, the first `skip` rows left out.

    Raises InvalidInput if the file has not the mapped columns, Malformed if it cannot be read.
    """
    mapper = Mapper(mapping, header_of(path, mapping.csv))
    repeated = _repeated(path, mapper) if mapper.needs_ids else set()
    seen: Counter[int] = Counter()
    chunk = Chunk()
    for at, record in enumerate(records(path, mapping.csv)):
        identity = mapper.identity(record) if mapper.needs_ids else None
        nth = _count(seen, identity, repeated)
        if at < skip:
            continue
        mapper.take(record, identity, nth, chunk)
        if chunk.n == size:
            yield chunk
            chunk = Chunk()
    if chunk.n:
        yield chunk


def _count(seen: Counter[int], identity: str | None, repeated: set[int]) -> int:
    """The how-manieth row of its content this is; only contents that do repeat are kept in memory."""
    if identity is None or (short := _short(identity)) not in repeated:
        return 1
    seen[short] += 1
    return seen[short]


def _short(identity: str) -> int:
    return int(identity[:16], 16)


def _repeated(path: Path, mapper: "Mapper") -> set[int]:
    """Which contents stand in the file more than once: eight bytes of memory per row, whatever the rows hold."""
    found = array("Q", (_short(mapper.identity(record)) for record in records(path, mapper.mapping.csv)))
    ordered = sorted(found)
    return {a for a, b in zip(ordered, islice(ordered, 1, None), strict=False) if a == b}


class Mapper:
    """A mapping bound to the header of one file."""

    def __init__(self, mapping: Mapping, header: list[str]) -> None:
        check_columns(mapping, header)
        self.mapping = mapping
        self.width = len(header)
        self.needs_ids = "external_id" not in mapping.fields
        self._columns = [(name, header.index(rule.column), rule) for name, rule in sorted(mapping.fields.items())]
        self._named = {".".join(PATHS[name]): (at, rule.column) for name, at, rule in self._columns}

    def identity(self, record: Record) -> str:
        """Digest of the mapped cells as they stand in the file: a corrected mapping finds the same row again."""
        cells = record.cells or []
        mapped = [cells[at] if at < len(cells) else "" for _, at, _ in self._columns]
        return hashlib.sha256("\x1f".join(mapped).encode("utf-8", "surrogatepass")).hexdigest()

    def take(self, record: Record, identity: str | None, nth: int, chunk: Chunk) -> None:
        """Turn a row into an answer or problems, into `chunk`."""
        chunk.n += 1
        found = self._answer(record, identity, nth)
        if isinstance(found, ResponseIn):
            chunk.taken.append(Taken(record.line, found, found.body_hash()))
        else:
            chunk.rejected += 1
            chunk.problems.extend(found)

    def _answer(self, record: Record, identity: str | None, nth: int) -> ResponseIn | list[Problem]:
        if record.cells is None or len(record.cells) != self.width:
            rule, n = ("csv", 0) if record.cells is None else ("columns", len(record.cells))
            words = f"The row has {n} columns, the header {self.width}." if n else "The row cannot be read."
            return [Problem(record.line, "", rule, words, "")]
        answer: dict[str, Any] = {"source": self.mapping.source, "scale": self.mapping.scale}
        if identity is not None:
            answer["external_id"] = f"{identity[:40]}-{nth}"
        place(answer, self.mapping.constants)
        problems = self._fill(answer, record)
        if problems:
            return problems
        try:
            return ResponseIn.model_validate(answer)
        except ValidationError as error:
            return [self._problem(record, f.field, f.rule, str(f.message)) for f in faults_of(error)]

    def _fill(self, answer: dict[str, Any], record: Record) -> list[Problem]:
        problems = []
        cells = record.cells or []
        for name, at, rule in self._columns:
            try:
                value = _value(cells[at], name, rule, self.mapping)
            except _Refused as refused:
                problems.append(Problem(record.line, rule.column, refused.rule, refused.message, _shown(cells[at])))
                continue
            if value is not None:
                place(answer, {name: value})
        return problems

    def _problem(self, record: Record, path: str, rule: str, message: str) -> Problem:
        at, column = self._named.get(path, (None, path))
        value = (record.cells or [])[at] if at is not None else ""
        return Problem(record.line, column, rule, message, _shown(value))


class _Refused(Exception):
    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule, self.message = rule, message


def _shown(cell: str) -> str:
    """A cell fit to be stored and shown."""
    return "".join(c if c.isprintable() else "\ufffd" for c in cell[:200])


def _value(cell: str, name: str, rule: FieldRule, mapping: Mapping) -> Any:
    """The cell as this field's value; None if it says nothing. Raises _Refused."""
    if not _is_text(cell):
        raise _Refused("encoding", "The text is not in the encoding of the file.")
    text = cell.strip() if mapping.values.strip else cell
    if not text or text in mapping.values.empty or text in rule.empty:
        return rule.default
    if text in rule.map:
        return rule.map[text]
    convert = {"given": _score, "customer_consent": _consent, "customer_sms_consent": _consent}.get(name)
    if name == "answered_at":
        return instant(text, tuple(mapping.dates.formats), mapping.dates.timezone)
    return convert(text) if convert else text


def _score(text: str) -> int:
    whole, _, rest = text.partition(".")  # spreadsheets write 9 as 9.0
    if not (whole.isascii() and whole.isdigit() and len(whole) < 10) or rest.strip("0"):
        raise _Refused("integer", "The score is not a whole number.")
    return int(whole)


def _consent(text: str) -> bool:
    if text.lower() in YES | NO:
        return text.lower() in YES
    raise _Refused("yes-or-no", "Consent is yes or no.")


@lru_cache(maxsize=4096)  # a file repeats its days
def instant(text: str, formats: tuple[str, ...], timezone: str) -> datetime:
    """The instant a cell names, aware, in UTC. Raises _Refused if no format fits."""
    for form in formats:
        try:
            found = datetime.fromisoformat(text) if form == ISO else datetime.strptime(text, form)  # noqa: DTZ007
            return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    raise _Refused("date", "The date is not written in a format of the mapping.")
