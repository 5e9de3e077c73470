"""The console's main menu: each feature's views add their own entry when they are imported."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flask import request, url_for

from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import ROLES


@dataclass(frozen=True)
class Entry:
    """One line of the menu. `order` says its place, and by GROUPS its group."""

    endpoint: str
    label: Any
    icon: str
    order: int
    roles: tuple[str, ...]


# Where each group begins; what comes before the first one has no heading.
GROUPS = ((20, _l("Answers")), (30, _l("Campaigns and rewards")), (40, _l("Advocates")), (80, _l("Setup")))

_entries: dict[str, Entry] = {}


def add(endpoint: str, label: Any, icon: str, *, order: int, roles: tuple[str, ...] = ROLES) -> None:
    """Put a page into the menu; said again, the entry is replaced."""
    _entries[endpoint] = Entry(endpoint, label, icon, order, roles)


def menu(roles: Iterable[str]) -> list[dict[str, Any]]:
    """What somebody with these roles sees: groups of label ("": none), active, entries (label, href, icon, active)."""
    mine = set(roles)
    shown = sorted((e for e in _entries.values() if mine & set(e.roles)), key=lambda entry: entry.order)
    return [_group(number, list(entries)) for number, entries in groupby(shown, key=_number)]


def _number(entry: Entry) -> int:
    return sum(entry.order >= start for start, _label in GROUPS)


def _group(number: int, entries: list[Entry]) -> dict[str, Any]:
    lines = [{"label": e.label, "href": url_for(e.endpoint), "icon": e.icon, "active": _is_here(e)} for e in entries]
    label = GROUPS[number - 1][1] if number else ""
    return {"label": label, "entries": lines, "active": any(line["active"] for line in lines)}


def _is_here(entry: Entry) -> bool:
    here = request.endpoint or ""
    if here == entry.endpoint:
        return True
    # A page below the entry's own (one campaign under "Campaigns") keeps the entry lit, unless it has its own entry.
    href = url_for(entry.endpoint)
    return here not in _entries and href != "/console" and request.path.startswith(f"{href}/")
