"""Every route states who may use it; a route that states nothing is refused for everybody.

Here are only the marks. `amplify.accounts.guard` reads them before each request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

View = TypeVar("View", bound=Callable[..., Any])

ROLES = ("admin", "marketer", "brand")


@dataclass(frozen=True)
class Access:
    """Who may call a view: "public", "staff" with roles, "api" with a scope, or "signed" (the view checks it)."""

    kind: Literal["public", "staff", "api", "signed"]
    names: tuple[str, ...] = ()
    # A GET that stores something (a click, "the ask was shown") needs a writing transaction.
    writes: bool = False
    # Whether an unsafe method must carry our CSRF token.
    csrf: bool = True
    # An upload: the body may be as large as an import, and is read only after the caller is known.
    large_body: bool = False
    # Requests of one caller are counted and refused beyond the settings' limits; never where that could lose a click.
    limited: bool = True
    # A POST that tries a secret is counted as a sign-in.
    guesses: bool = False


def _mark(access: Access) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return mark


def public(
    *, writes: bool = False, csrf: bool = True, limited: bool = True, guesses: bool = False
) -> Callable[[View], View]:
    """Anybody, without an account. `csrf=False` only for a one-click POST that works without a cookie (RFC 8058)."""
    return _mark(Access("public", writes=writes, csrf=csrf, limited=limited, guesses=guesses))


def signed() -> Callable[[View], View]:
    """A machine that signs its body; the view verifies the signature. No form token, and no limit: nothing is lost."""
    return _mark(Access("signed", writes=True, csrf=False, limited=False))


def staff(*roles: str, large_body: bool = False) -> Callable[[View], View]:
    """A signed-in member of a brand's staff with one of these roles; without roles: any of them."""
    unknown = set(roles) - set(ROLES)
    if unknown:
        raise ValueError(f"no such role: {', '.join(sorted(unknown))}")
    return _mark(Access("staff", roles or ROLES, large_body=large_body))


def api(scope: str) -> Callable[[View], View]:
    """A holder of an API key with this scope, e.g. "responses:write"."""
    return _mark(Access("api", (scope,), csrf=False))


def access_of(view: Any) -> Access | None:
    """What a view states, or None."""
    return getattr(view, "access", None)
