"""The operator's own list of agents: what the built-in lists do not know, or get wrong, for the whole installation.

The worker's verdicts obey it. Which page a request is shown is decided in front, by the built-in lists alone.
"""

from collections.abc import Iterator, Sequence, Set

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.errors import Conflict, Forbidden, Invalid, NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.tracking.models import AgentPattern

# Said of an agent: its kind, and the pattern that says so.
Listed = tuple[str, str]

KINDS = ("bot", "preview", "scanner", "human")
SHORTEST, LONGEST = 3, 100
# A part of every browser's agent: a pattern that says this would turn everybody into a machine.
EVERYBODY = "mozilla/5.0 (applewebkit/537.36 (khtml, like gecko) chrome/ mobile safari/537.36"


def allow_admins(session: Session) -> None:
    """A brand's admins keep the list while theirs is the only brand. Raises Forbidden."""
    if (session.scalar(sa.select(sa.func.count()).select_from(Brand)) or 0) > 1:
        message = _l("Several brands share this installation: its operator keeps this list, by amplify clicks agents.")
        raise Forbidden(message, rule="operator-only")


def patterns(session: Session) -> Sequence[AgentPattern]:
    """All of them, in the order of the alphabet."""
    return session.scalars(sa.select(AgentPattern).order_by(AgentPattern.pattern)).all()


def rows(session: Session) -> Iterator[tuple[object, ...]]:
    """The same as plain values: pattern, kind, note, who, when, switched on."""
    for row in patterns(session):
        yield row.pattern, row.kind, row.note, row.created_by, row.created_at, row.is_on


def pattern(session: Session, pattern_id: int) -> AgentPattern:
    """One of them. Raises NotFound."""
    found = session.get(AgentPattern, pattern_id)
    if found is None:
        raise NotFound(_l("There is no such entry."))
    return found


def add(session: Session, text: str, kind: str, *, note: str = "", actor: str) -> AgentPattern:
    """Say of agents that hold this text what they are. Raises Invalid and Conflict."""
    text = " ".join(text.lower().split())
    if not SHORTEST <= len(text) <= LONGEST or not text.isprintable():
        raise Invalid("pattern", "length-3-100", _l("Between 3 and 100 characters, as they stand in the agent."))
    if kind != "human" and text in EVERYBODY:
        raise Invalid("pattern", "everybody", _l("Every browser says this: it would turn all people into machines."))
    if kind not in KINDS:
        raise Invalid("kind", "choice", _l("Choose one of: %(choices)s.", choices=", ".join(KINDS)))
    if session.scalar(sa.select(AgentPattern.id).where(AgentPattern.pattern == text)) is not None:
        raise Conflict(_l("This is on the list already."), field="pattern", rule="unique")
    row = AgentPattern(pattern=text, kind=kind, note=note.strip()[:200], created_by=actor)
    session.add(row)
    session.flush()
    return row


def switch(session: Session, row: AgentPattern, is_on: bool) -> None:
    """Obey this entry from now on, or not any more. Verdicts that were given stay until they are derived again."""
    row.is_on = is_on
    session.flush()


def remove(session: Session, row: AgentPattern) -> None:
    """Forget this entry."""
    session.delete(row)
    session.flush()


def look_up(session: Session, agents: Set[str]) -> dict[str, Listed]:
    """What the list says of these agents; those it says nothing of are left out. The longest pattern wins."""
    rows = session.execute(sa.select(AgentPattern.kind, AgentPattern.pattern).where(AgentPattern.is_on))
    listed = sorted(((kind, text) for kind, text in rows), key=lambda row: (-len(row[1]), row[1]))
    if not listed:
        return {}
    found = {}
    for agent in agents:
        lower = agent.lower()
        said = next(((kind, text) for kind, text in listed if text in lower), None)
        if said:
            found[agent] = said
    return found
