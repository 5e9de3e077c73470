"""What happened with an advocate's links. The floors that know (tracking) stand above and are wired in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from amplify.sharing.models import Advocate


@dataclass(frozen=True)
class Figure:
    """One number with its name, and what it is made of ("of 12 requests, machines among them")."""

    label: Any
    value: int
    note: Any = ""


Source = Callable[[Session, Advocate], Sequence[Figure]]

_sources: list[Source] = []


def wire(*sources: Source) -> None:
    """Install who is asked, in order (once, at start; a second call replaces the first)."""
    _sources[:] = sources


def outcomes(session: Session, advocate: Advocate) -> list[Figure]:
    """What is known about all links of this advocate."""
    return [figure for source in _sources for figure in source(session, advocate)]
