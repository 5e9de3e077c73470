"""`amplify import`: answers from a file, first as a dry run, then for real; cut off, the same command goes on."""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.brands.services import brand_by_slug
from amplify.cli.progress import progress
from amplify.core.db import db, reading
from amplify.core.errors import AmplifyError
from amplify.surveys import import_job, importing, mapping, queries
from amplify.surveys.mapping import Mapping
from amplify.surveys.models import ImportRun
from amplify.surveys.words import why

SHOWN_PROBLEMS = 20
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("import")
def command() -> None:
    """Bring in answers from files."""


@command.command("survey")
@click.argument("file", type=FILE)
@click.option("--map", "map_file", type=FILE, required=True, help="The mapping: see docs/import.md.")
@click.option("--brand", "slug", required=True, help="The brand's short name.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, row by row for the bad ones; store nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def survey(file: Path, map_file: Path, slug: str, dry_run: bool, as_json: bool) -> None:
    """Import the answers in FILE, a CSV with a header.

    Rows that are stored already are recognised, so the same command again changes nothing. A run that was cut off
    goes on where it was.
    """
    with create_app().app_context(), _said_plainly():
        chosen = mapping.load(map_file.read_text(encoding="utf-8"))
        with reading():
            brand = brand_by_slug(db.session, slug)
            db.session.commit()
        found = _dry_run(brand, file, chosen) if dry_run else _run(brand, file, chosen)
    click.echo(json.dumps(found, ensure_ascii=False) if as_json else _as_text(found))


@contextmanager
def _said_plainly() -> Iterator[None]:
    """What the file or the mapping is at fault for ends with one line per fault, not with a trace."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise click.ClickException("mapping: the file is not UTF-8 text [utf-8]") from error
    except AmplifyError as error:
        faults = error.faults or (error,)
        lines = [f"{f.field}: {f.message} [{f.rule}]" if f.field else str(f.message) for f in faults]
        raise click.ClickException("\n".join(lines)) from error


def _dry_run(brand: Brand, file: Path, chosen: Mapping) -> dict[str, Any]:
    with progress("rows", importing.count_rows(file, chosen)) as moved, reading():
        report = importing.check(db.session, brand, file, chosen, moved)
    problems = [
        {"line": p.line, "column": p.column, "rule": p.rule, "why": why(p.rule, p.message), "value": p.value}
        for p in report.problems
    ]
    return {"dry_run": True, **report.as_dict(), "problems": problems}


def _run(brand: Brand, file: Path, chosen: Mapping) -> dict[str, Any]:
    began = time.monotonic()
    run = _open_run(brand, file.resolve(), chosen)
    with progress("rows", run.lines_total, run.lines_done) as moved:
        run = import_job.run(run.id, lambda one: moved(one.lines_done))
    with reading():
        problems = queries.problems(db.session, run)
    return {
        "dry_run": False,
        "run": run.id,
        "lines": run.lines_done,
        "stored": run.stored,
        "versions": run.versions,
        "known": run.known,
        "rejected": run.rejected,
        "seconds": round(time.monotonic() - began, 2),
        "peak_megabytes": _peak_megabytes(),
        "problems": [
            {"line": p.line, "column": p.column, "rule": p.rule, "why": why(p.rule, p.message), "value": p.value}
            for p in problems
        ],
    }


def _open_run(brand: Brand, file: Path, chosen: Mapping) -> ImportRun:
    """The run of this file that was cut off, or a new one."""
    mapping.check_columns(chosen, importing.header_of(file, chosen))
    sha256, total = importing.sha256_of(file), importing.count_rows(file, chosen)
    run = importing.unfinished(db.session, brand, sha256, chosen)
    if run is None:
        actor = f"cli:{os.environ.get('USER', 'shell')}"
        run = importing.new_run(db.session, brand, file, file.name, sha256, actor)
        importing.begin_unchecked(db.session, run, chosen, actor)
    run.file_path, run.lines_total = str(file), total
    db.session.commit()
    return run


def _peak_megabytes() -> int:
    """The most memory this process has used. Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024))


def _as_text(found: dict[str, Any]) -> str:
    lines = _would(found) if found["dry_run"] else _did(found)
    problems = found["problems"]
    lines += [
        f"  line {p['line']}, column {p['column'] or '-'}: {p['why']} [{p['rule']}] {p['value']!r}"
        for p in problems[:SHOWN_PROBLEMS]
    ]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"  ... and {len(problems) - SHOWN_PROBLEMS} more; --json lists them")
    return "\n".join(lines)


def _would(found: dict[str, Any]) -> list[str]:
    split = ", ".join(f"{n} {name}s" for name, n in found["categories"].items())
    return [
        f"Dry run of {found['lines']} rows: nothing is stored.",
        f"{found['new']} answers would be stored ({split}), {found['anonymous']} of them anonymous.",
        f"{found['versions']} of them are new versions of stored answers.",
        f"{found['known']} are stored already.",
        f"New business lines: {_few(found['business_lines'], found['n_business_lines'])}",
        f"New locations: {_few(found['locations'], found['n_locations'])}",
        f"{found['rejected']} rows would not be taken" + (":" if found["rejected"] else "."),
    ]


def _few(names: list[str], n: int) -> str:
    shown = ", ".join(names[:10]) or "none"
    return f"{n}: {shown}, ..." if n > 10 else shown


def _did(found: dict[str, Any]) -> list[str]:
    return [
        f"Import {found['run']}: {found['lines']} rows in {found['seconds']} s, {found['peak_megabytes']} MB at most.",
        f"{found['stored']} stored ({found['versions']} as new versions), {found['known']} stored before,"
        f" {found['rejected']} not taken" + (":" if found["rejected"] else "."),
    ]
