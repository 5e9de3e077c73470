"""Where a person goes after their answer. The floor that knows (asks) stands above this one and is wired in."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from amplify.surveys.models import Response

# Gives an address for this answer, or None for the thank-you page.
NextStep = Callable[[Session, Response], str | None]

_finders: list[NextStep] = []


def wire(*finders: NextStep) -> None:
    """Install who is asked, in order (once, at start; a second call replaces the first)."""
    _finders[:] = finders


def next_step(session: Session, response: Response) -> str | None:
    """The first address that somebody knows for this answer; None: thank the person here."""
    return next((url for find in _finders if (url := find(session, response))), None)
