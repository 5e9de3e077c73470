"""What every answer tells the browser: load only our own files, never be framed, say little to others."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask
from flask_talisman import Talisman
from werkzeug.middleware.proxy_fix import ProxyFix

from amplify.core.settings import Settings

View = TypeVar("View", bound=Callable[..., Any])

YEAR_SECONDS = 31_536_000

POLICY = {
    "default-src": "'self'",
    "img-src": "'self' data: https:",  # a brand's logo may live on the brand's own host
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
PERMISSIONS = {
    "browsing-topics": "()",
    "camera": "()",
    "geolocation": "()",
    "microphone": "()",
    "payment": "()",
    "usb": "()",
    "web-share": "(self)",
    "clipboard-write": "(self)",
}


def forms_may_lead_to(*sources: str) -> Callable[[View], View]:
    """The page's forms may be answered by a redirect to these, e.g. "https:": browsers check form-action there too."""

    def mark(view: View) -> View:
        policy = {**POLICY, "form-action": " ".join(("'self'", *sources))}
        view.talisman_view_options = {"content_security_policy": policy}  # type: ignore[attr-defined]
        return view

    return mark


def install(app: Flask, settings: Settings) -> None:
    """Security headers on every answer; behind proxies, the caller's address as they report it."""
    Talisman(
        app,
        content_security_policy=POLICY,
        permissions_policy=PERMISSIONS,
        force_https=False,  # the proxy's work; a health check inside may use plain http
        frame_options="DENY",
        referrer_policy="strict-origin-when-cross-origin",
        session_cookie_secure=settings.base_url.startswith("https://"),
        strict_transport_security=settings.env == "production",
        strict_transport_security_max_age=YEAR_SECONDS,
        strict_transport_security_include_subdomains=False,
    )
    if hops := settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
