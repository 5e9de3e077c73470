"""How often one caller may come: sign-ins and forms by address, the API by key. In memory, per process."""

import time

from flask import current_app, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItemPerMinute

from amplify.core.errors import TooMany
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import Access
from amplify.core.web import amplify

limiter = Limiter(get_remote_address, storage_uri="memory://", strategy="moving-window")


def check(access: Access) -> None:
    """Count this request; raises TooMany beyond the settings' limit. Never counts what could lose a click."""
    if not access.limited or not current_app.config["COUNT_REQUESTS"]:
        return
    name, per_minute, caller = _which(access)
    if not per_minute:
        return
    item = RateLimitItemPerMinute(per_minute)
    if not limiter.limiter.hit(item, name, caller):
        resets = limiter.limiter.get_window_stats(item, name, caller).reset_time
        wait = max(1, round(resets - time.time()))
        raise TooMany(_l("Too many requests. Wait a moment, then try again."), retry_after=wait)


def _which(access: Access) -> tuple[str, int, str]:
    settings = amplify().settings
    if access.kind == "api":
        return "api", settings.limit_api, g.actor
    if request.method != "POST":
        return "", 0, ""
    if access.guesses or (request.blueprint == "security" and request.endpoint != "security.logout"):
        return "sign-in", settings.limit_sign_in, get_remote_address()
    return "form", settings.limit_form, get_remote_address()
