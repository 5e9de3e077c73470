"""Bare WSGI: the ceiling of any WSGI application on this server."""

from collections.abc import Callable, Iterable
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Redirect to nowhere in particular, as a tracked link would."""
    start_response("302 Found", [("Location", "http://localhost/"), ("Content-Length", "0")])
    return [b""]
