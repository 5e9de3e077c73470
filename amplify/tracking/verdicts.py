"""What a click was, as pure rules: the same facts and the same rule set give the same verdict for ever.

Only "human" counts. "duplicate" is a person whose first click within 24 hours already counted.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from amplify.tracking import agents

# Raise it when a rule changes: each verdict carries the version it was made by.
RULES_VERSION = 3
# One count per visitor and link in this time. Visitor keys end with their UTC day (the salt is destroyed), so a
# window never reaches over midnight: people are counted apart rather than followed.
WINDOW = timedelta(hours=24)
VERDICTS = ("human", "preview", "bot", "prefetch", "head", "scanner", "self", "duplicate")
# The request came from a person on purpose: an order that follows it is theirs, even if the click counted before.
OF_A_PERSON = ("human", "duplicate")
SPECULATIVE = ("prefetch", "prerender", "preview")

# Mail security opens what it passes on. It looks like any browser; only when and what it opens gives it away.
# So many links of one advocate by one visitor within such a time are nobody's reading; fewer and over a longer time
# if a mail that leads to them was sent within AFTER_MAIL.
BURST, BURST_LINKS = timedelta(seconds=10), 3
MAIL_BURST, MAIL_BURST_LINKS = timedelta(minutes=2), 2
AFTER_MAIL = timedelta(minutes=10)
# Nobody opens a mail, shares from it and has a friend follow within this.
AT_DELIVERY = timedelta(seconds=20)
# A visitor that asks by HEAD and by GET within this is a checker: browsers never ask by HEAD first.
HEADS = timedelta(seconds=10)
# Who asks for one link more often than this is a repeat whatever comes, and no burst is looked for in the rest.
OFTEN, OFTEN_WITHIN = 20, timedelta(minutes=4)


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


@dataclass(frozen=True, slots=True)
class Around:
    """What was seen near a click; a verdict rests on this beside the click's own facts."""

    # What the operator's own list says of the agent: the kind, and the pattern that said so.
    listed: tuple[str, str] | None = None
    # Links of the same advocate that this visitor asked for within BURST (after a mail MAIL_BURST), with this one.
    links: int = 1
    # How long ago a mail that leads to this link was sent, if within AFTER_MAIL.
    since_mail: timedelta | None = None
    # This visitor asked for this link by HEAD within HEADS.
    has_head: bool = False
    # This visitor asked for this link OFTEN within OFTEN_WITHIN before.
    is_often: bool = False


ALONE = Around()


def judge(hit: Hit, *, counted_before: bool, around: Around = ALONE) -> Verdict:
    """The verdict. `counted_before`: this visitor's human click on this link counted within the last WINDOW."""
    return by_itself(hit, around.listed) or _by_pattern(hit, around) or _by_person(hit, counted_before)


def by_itself(hit: Hit, listed: tuple[str, str] | None) -> Verdict | None:
    """What a request says of itself; None: only what was near it can tell a machine from a person."""
    return _by_request(hit) or _by_agent(hit, listed)


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


def _by_agent(hit: Hit, listed: tuple[str, str] | None) -> Verdict | None:
    if listed:  # the operator knows better, also that it is a person
        kind, pattern = listed
        return None if kind == "human" else Verdict(kind, f"list:{pattern}"[:80])
    kind, rule = agents.kind_of(hit.user_agent)
    return Verdict(kind, rule) if kind else None


def _by_pattern(hit: Hit, around: Around) -> Verdict | None:
    if hit.is_own:
        return None
    if around.is_often:
        return Verdict("duplicate", "visitor-often")
    if around.has_head:
        return Verdict("scanner", "head-burst")
    if around.links >= BURST_LINKS:
        return Verdict("scanner", "links-burst")
    if around.since_mail is not None:
        if around.links >= MAIL_BURST_LINKS:
            return Verdict("scanner", "mail-burst")
        if around.since_mail <= AT_DELIVERY:
            return Verdict("scanner", "mail-delivery")
    return None


def _by_person(hit: Hit, counted_before: bool) -> Verdict:
    if hit.is_own:
        return Verdict("self", "own-cookie")
    if counted_before:
        return Verdict("duplicate", "visitor-24h")
    return Verdict("human", "first-click")
