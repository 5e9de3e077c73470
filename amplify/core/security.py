"""Every route states who may use it; a route that states nothing is refused for everybody.

Here are only the marks. `amplify.accounts.guard` reads them before each request.
"""

from collections.abc import Callable
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])

ROLES = ("admin", "marketer", "brand")


class Access:
    """Who may call a view: "public", "staff" with roles, "api" with a scope, or "signed" (the view checks it)."""

    def __init__(self, kind: str, names: tuple[str, ...] = (), *, writes: bool = False) -> None:
        self.kind = kind
        self.names = names
        # A GET that stores something (a click, "the ask was shown") needs a writing transaction.
        self.writes = writes


def _mark(access: Access) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return mark


def public(*, writes: bool = False) -> Callable[[View], View]:
    """Anybody, without an account."""
    return _mark(Access("public", writes=writes))


def signed() -> Callable[[View], View]:
    """A machine that signs its body; the view verifies the signature itself. No CSRF token."""
    return _mark(Access("signed", writes=True))


def staff(*roles: str) -> Callable[[View], View]:
    """A signed-in member of a brand's staff with one of these roles; without roles: any of them."""
    return _mark(Access("staff", roles or ROLES))


def api(scope: str) -> Callable[[View], View]:
    """A holder of an API key with this scope."""
    return _mark(Access("api", (scope,)))
