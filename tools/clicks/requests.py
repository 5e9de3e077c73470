"""One request of the replay set, and the file that the whole set is kept in."""

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "clicks"
FILE = FOLDER / "requests.csv.gz"


class Request(NamedTuple):
    """What a request said, when, from which network, on whose link, and what it is (`label`)."""

    at: float  # seconds after the first
    network: int  # a number for each /24
    advocate: int
    channel: str
    since_mail: float | None  # seconds since a mail that leads to the advocate's links was sent
    method: str
    agent: str
    language: str
    referrer: str
    purpose: str  # one header, "Sec-Purpose: prefetch"
    gpc: bool
    own: bool  # carries the advocate's own cookie
    label: str  # human, return, self, preview, bot, scanner, prefetch, head
    family: str
    part: str  # "open", or "held out": not looked at while the rules were written

    @property
    def headers(self) -> dict[str, str]:
        """As the front is asked for them: names in lower case."""
        found = {"user-agent": self.agent, "accept-language": self.language, "referer": self.referrer}
        name, _, value = self.purpose.partition(": ")
        found |= {name.lower(): value} if value else {}
        found |= {"sec-gpc": "1"} if self.gpc else {}
        return {name: value for name, value in found.items() if value}


def text_of(requests: Iterable[Request]) -> str:
    """The set as CSV."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Request._fields)
    for request in requests:
        row = request._replace(gpc=int(request.gpc), own=int(request.own))  # type: ignore[arg-type]
        writer.writerow(["" if value is None else value for value in row])
    return out.getvalue()


def write(requests: Iterable[Request], file: Path = FILE) -> None:
    """Keep the set, packed so that the same set is the same file."""
    file.write_bytes(gzip.compress(text_of(requests).encode(), 9, mtime=0))


def read(file: Path = FILE) -> list[Request]:
    """The set in order of time."""
    rows = csv.DictReader(io.StringIO(gzip.decompress(file.read_bytes()).decode(), newline=""))
    return [_request(row) for row in rows]


def _request(row: dict[str, str]) -> Request:
    return Request(
        at=float(row["at"]),
        network=int(row["network"]),
        advocate=int(row["advocate"]),
        since_mail=float(row["since_mail"]) if row["since_mail"] else None,
        gpc=row["gpc"] == "1",
        own=row["own"] == "1",
        **{name: row[name] for name in TEXTS},
    )


TEXTS = ("channel", "method", "agent", "language", "referrer", "purpose", "label", "family", "part")
