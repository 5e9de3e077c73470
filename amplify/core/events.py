"""Facts go up: a lower floor publishes what happened, `amplify.wiring` lists who reacts.

Reactions run in the publisher's transaction, in the order of the table, and may raise: then nothing is stored.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

Reaction = Callable[[Session, Any], None]

_reactions: dict[type, Sequence[Reaction]] = {}


def wire(table: Mapping[type, Sequence[Reaction]]) -> None:
    """Install the table of reactions (once, at start; a second call replaces the first)."""
    _reactions.clear()
    _reactions.update(table)


def publish(session: Session, fact: object) -> None:
    """Tell everybody who is wired to this kind of fact."""
    for react in _reactions.get(type(fact), ()):
        react(session, fact)
