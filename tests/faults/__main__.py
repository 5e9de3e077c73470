"""`python -m tests.faults NAME [--kills N] [--db ...] [--seed S]`: break it, print the table, last a line of JSON."""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import sqlalchemy as sa

import tests.faults as faults
from bench.report import table
from bench.servers import databases

COLUMNS = ("database", "fault", "what was done", "planted bug", "sent again", "recovery s", "took s", "outcome")


def found() -> dict[str, ModuleType]:
    """The faults there are: every module of this folder that has a `run` and a `plan_of`."""
    names = [one.name for one in iter_modules(faults.__path__) if one.name not in ("__main__", "planted")]
    modules = {name: import_module(f"{faults.__name__}.{name}") for name in sorted(names)}
    return {name: module for name, module in modules.items() if hasattr(module, "plan_of")}


@contextmanager
def new_databases(kind: str) -> Iterator[Callable[[], str]]:
    """A function that gives the address of another new empty database of this kind."""
    numbers = count()
    with databases((kind,)) as addresses:
        base = sa.make_url(addresses[kind])

        def new() -> str:
            name = f"fault_{next(numbers)}"
            if kind == "sqlite":
                return str(base.set(database=str(Path(base.database or "").with_name(f"{name}.db"))))
            engine = sa.create_engine(base.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
            engine.dispose()
            return base.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

        yield new


def shown(row: Any) -> tuple[object, ...]:
    """One line of the table."""
    outcome = ("CAUGHT: " if row.ok else "NOT CAUGHT") if row.bug else ("held" if row.ok else "BROKEN: ")
    wrongs = "; ".join(row.wrongs)
    return (
        row.database, row.fault, row.did, row.bug or "-", row.repeated, row.recovery_seconds, row.seconds,
        outcome + wrongs,
    )  # fmt: skip


def figures(rows: list[Any]) -> dict[str, Any]:
    """The last line: what the table says, for machines."""
    real = [row for row in rows if not row.bug]
    return {
        "ok": bool(rows) and all(row.ok for row in rows),
        "kills": sum(row.kills for row in real),
        "wrong": sum(len(row.wrongs) for row in real),
        "sent_again": sum(row.repeated for row in real),
        "planted": sum(bool(row.bug) for row in rows),
        "caught": sum(row.ok for row in rows if row.bug),
        "longest_recovery_seconds": round(max((row.recovery_seconds for row in real), default=0.0), 1),
        "seconds": round(sum(row.seconds for row in rows), 1),
    }


def main(arguments: list[str]) -> int:
    """0 if every fault held and every planted bug was caught."""
    modules = found()
    parser = argparse.ArgumentParser(prog="faults", description=faults.__doc__)
    parser.add_argument("name", choices=sorted(modules))
    parser.add_argument("--kills", type=int, default=0, help="how many processes to kill on each database")
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--seed", type=int, default=1, help="the dice that choose the moments")
    parser.add_argument("--minutes", type=float, default=0.0, help="of campaign: kill for so long at most")
    options = parser.parse_args(arguments)
    module = modules[options.name]
    rows: list[Any] = []
    for kind in ("sqlite", "postgresql") if options.db == "both" else (options.db,):
        with new_databases(kind) as new, tempfile.TemporaryDirectory(prefix="amplify-faults-") as folder:
            for row in module.run(module.plan_of(kind, new, Path(folder), options)):
                rows.append(row)
                print(f"{kind}: {row.fault}{f' with {row.bug}' if row.bug else ''}: {row.seconds:.0f} s", flush=True)
    table(f"faults {options.name}", COLUMNS, [shown(row) for row in rows])
    print(json.dumps(figures(rows)))
    return 0 if figures(rows)["ok"] else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    sys.exit(main(sys.argv[1:]))
