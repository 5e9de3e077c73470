"""What every answer tells the browser: load only our own files, never be framed, say little to others."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Flask, Response, g
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
# Sharing (web-share) is left at its default, which is ours alone: browsers that do not share complain of its name.
PERMISSIONS = {
    "browsing-topics": "()",
    "camera": "()",
    "geolocation": "()",
    "microphone": "()",
    "payment": "()",
    "usb": "()",
    "clipboard-write": "(self)",
}


def forms_may_lead_to(*sources: str) -> Callable[[View], View]:
    """The page's forms may be answered by a redirect to these, e.g. "https:": browsers check form-action there too."""

    def mark(view: View) -> View:
        policy = {**POLICY, "form-action": " ".join(("'self'", *sources))}
        view.talisman_view_options = {"content_security_policy": policy}  # type: ignore[attr-defined]
        return view

    return mark


def may_be_framed_by(origins: Sequence[str]) -> None:
    """Let pages of these origins (e.g. "https://www.shop.example") show the answer to this request in a frame."""
    g.framed_by = tuple(origins)


def _open_the_frame(response: Response) -> Response:
    """Runs last: everything that did not ask for it keeps frame-ancestors 'none'. X-Frame-Options knows no list."""
    origins = g.get("framed_by")
    if origins and response.status_code == 200:
        policy = {**POLICY, "frame-ancestors": " ".join(origins)}
        response.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
        del response.headers["X-Frame-Options"]
    return response


def install(app: Flask, settings: Settings) -> None:
    """Security headers on every answer; behind proxies, the caller's address as they report it."""
    app.after_request(_open_the_frame)  # registered before Talisman's, so that it runs after it
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
