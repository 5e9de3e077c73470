"""What a click was, as pure rules: the same facts and the same rule set give the same verdict for ever.

Only "human" counts. "duplicate" is a person whose first click within 24 hours already counted.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from amplify.tracking import agents

# Raise it when a rule changes: each verdict carries the version it was made by.
RULES_VERSION = 1
# One count per visitor and link in this time. Visitor keys end with their UTC day (the salt is destroyed), so a
# window never reaches over midnight: people are counted apart rather than followed.
WINDOW = timedelta(hours=24)
VERDICTS = ("human", "preview", "bot", "prefetch", "head", "self", "duplicate")
# The request came from a person on purpose: an order that follows it is theirs, even if the click counted before.
OF_A_PERSON = ("human", "duplicate")
SPECULATIVE = ("prefetch", "prerender", "preview")


class Hit(Protocol):
    """The facts a verdict rests on; a stored click has them, and so has a request not yet stored."""

    @property
    def method(self) -> str: ...
    @property
    def user_agent(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def is_own(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of VERDICTS and the rule that gave it."""

    name: str
    rule: str


def judge(hit: Hit, *, counted_before: bool) -> Verdict:
    """The verdict. `counted_before`: this visitor's human click on this link counted within the last WINDOW."""
    return _by_request(hit) or _by_agent(hit) or _by_person(hit, counted_before)


def is_machine(hit: Hit) -> bool:
    """Whether to show the preview page rather than the way on: a machine by its own word."""
    return bool(agents.kind_of(hit.user_agent)[0])


def _by_request(hit: Hit) -> Verdict | None:
    if hit.method == "HEAD":
        return Verdict("head", "method-head")
    purpose = hit.purpose.lower()
    if any(word in purpose for word in SPECULATIVE):
        return Verdict("prefetch", "purpose-header")
    return None


def _by_agent(hit: Hit) -> Verdict | None:
    kind, rule = agents.kind_of(hit.user_agent)
    return Verdict(kind, rule) if kind else None


def _by_person(hit: Hit, counted_before: bool) -> Verdict:
    if hit.is_own:
        return Verdict("self", "own-cookie")
    if counted_before:
        return Verdict("duplicate", "visitor-24h")
    return Verdict("human", "first-click")
