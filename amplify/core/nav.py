"""The console's main menu: each feature's views add their own entry when they are imported."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from amplify.core.security import ROLES


@dataclass(frozen=True)
class Entry:
    """One line of the menu. `order`: 10 home, 20 surveys, 30 campaigns, 40 links, 50 leaderboard, 80 settings."""

    endpoint: str
    label: Any
    icon: str
    order: int
    roles: tuple[str, ...]


_entries: dict[str, Entry] = {}


def add(endpoint: str, label: Any, icon: str, *, order: int, roles: tuple[str, ...] = ROLES) -> None:
    """Put a page into the menu; said again, the entry is replaced."""
    _entries[endpoint] = Entry(endpoint, label, icon, order, roles)


def menu(roles: Iterable[str]) -> list[dict[str, Any]]:
    """What somebody with these roles sees: label, href, icon, active."""
    mine = set(roles)
    shown = sorted((e for e in _entries.values() if mine & set(e.roles)), key=lambda entry: entry.order)
    return [{"label": e.label, "href": url_for(e.endpoint), "icon": e.icon, "active": _is_here(e)} for e in shown]


def _is_here(entry: Entry) -> bool:
    here = request.endpoint or ""
    if here == entry.endpoint:
        return True
    # A page below the entry's own (one campaign under "Campaigns") keeps the entry lit, unless it has its own entry.
    href = url_for(entry.endpoint)
    return here not in _entries and href != "/console" and request.path.startswith(f"{href}/")
