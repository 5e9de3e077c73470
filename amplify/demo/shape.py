"""Whether a demo's folder still fits this version: its database is made anew where the tables have changed since.

Light on purpose: it is asked at every start, before the application is imported.
"""

import hashlib
from pathlib import Path

from amplify.core import paths

MARK = "made-for"


def mark(folder: Path) -> None:
    """Note in a demo's folder which tables it was made with."""
    (folder / MARK).write_text(_shape())


def fits(folder: Path) -> bool:
    """Whether the demo in this folder was made with the tables of this version."""
    file = folder / MARK
    return file.is_file() and file.read_text() == _shape()


def _shape() -> str:
    files = sorted((paths.MIGRATIONS / "versions").glob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
