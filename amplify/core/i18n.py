"""Languages: one import for gettext, and the rule for which language a page speaks."""

from typing import Any

from flask import Response, current_app, g, has_request_context, request
from flask_babel import Babel, force_locale, get_locale, get_translations, gettext, ngettext
from flask_babel.speaklater import LazyString
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

LANGUAGES = ("en", "es")

babel = Babel()

__all__ = [
    "LANGUAGES",
    "babel",
    "best_language",
    "force_locale",
    "get_locale",
    "gettext",
    "lazy_gettext",
    "ngettext",
    "remember_language",
    "words",
]

YEAR_SECONDS = 31_536_000


class Lazy(LazyString):  # type: ignore[misc]  # Flask-Babel brings no types
    """A text that is translated when it is shown. The library's own says of itself that it is safe HTML, whatever a
    user wrote into its placeholders; this one is escaped like any other text."""

    def __html__(self) -> Markup:
        return escape(str(self))


def lazy_gettext(message: str, **values: Any) -> Lazy:
    """For texts that are written before it is known who reads them."""
    return Lazy(gettext, message, **values)


def words() -> dict[str, Any]:
    """gettext and its like for a template's context, in the language that reigns now: many mails in a row need not
    look up with each word which language that is."""
    spoken = get_translations()

    def said(context: Context, text: str, values: dict[str, Any]) -> str:
        return (Markup(text) if context.eval_ctx.autoescape else text) % values  # noqa: S704  the catalogue is ours

    @pass_context
    def one(context: Context, text: str, **values: Any) -> str:
        return said(context, spoken.ugettext(text), values)

    @pass_context
    def many(context: Context, single: str, plural: str, num: int, **values: Any) -> str:
        return said(context, spoken.ungettext(single, plural, num), {"num": num, **values})

    return {"_": one, "gettext": one, "ngettext": many}


def best_language(wanted: str | None, default: str = "en") -> str:
    """The language we speak that fits a tag such as "es-MX"; `default` if none does."""
    tag = (wanted or "").replace("_", "-").split("-")[0].lower()
    return tag if tag in LANGUAGES else default


def choose_language() -> str:
    """The link's `?lang=`, then the reader's earlier choice, then the browser's, then the brand's, then English."""
    if not has_request_context():
        return "en"
    for wanted in (request.args.get("lang"), g.get("language"), request.cookies.get("lang")):
        if wanted and best_language(wanted, "") in LANGUAGES:
            return best_language(wanted)
    # In the reader's order, "es-MX" before "en": werkzeug's best_match would take the exact "en" first.
    wishes = (best_language(wanted, "") for wanted, quality in request.accept_languages if quality > 0)
    accepted = next(filter(None, wishes), None)
    brand = g.get("brand")
    return accepted or (best_language(brand.default_locale) if brand else "en")


def remember_language(response: Response) -> Response:
    """A language chosen by a link stays chosen for the next pages. Nothing but the two letters is kept."""
    chosen = best_language(request.args.get("lang"), "")
    if chosen and chosen != request.cookies.get("lang") and response.mimetype == "text/html":
        secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
        response.set_cookie("lang", chosen, max_age=YEAR_SECONDS, secure=secure, httponly=True, samesite="Lax")
    return response
