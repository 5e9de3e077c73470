"""What templates may call: icons, hashed assets, links that change the query, and figures in the reader's language."""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from babel.dates import format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision
from flask import Flask, Response, request, url_for
from flask_babel import format_date, format_datetime, get_locale
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from amplify.core import clock
from amplify.core.colour import Palette, palette
from amplify.core.paths import STATIC

SPRITE = "vendor/icons/sprite.svg"
LANGUAGE_NAMES = {"en": "English", "es": "Español"}
# Stands for "nothing measured": a missing figure is not zero.
NOTHING = "\u2013"
YEAR = timedelta(days=365)


@lru_cache(maxsize=512)
def _hash(path: str, modified_ns: int) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:16]


def content_hash(path: str) -> str:
    """The content's hash of a file below static/; changes with the file. Raises FileNotFoundError."""
    return _hash(path, (STATIC / path).stat().st_mtime_ns)


def asset(path: str) -> str:
    """The address of a static file, with its content's hash, so that it may be cached for ever."""
    return url_for("static", filename=path, v=content_hash(path))


@lru_cache(maxsize=2)
def _symbols(version: str) -> frozenset[str]:
    return frozenset(re.findall(r'<symbol id="([^"]+)"', (STATIC / SPRITE).read_text()))


def icons() -> frozenset[str]:
    """The names `icon()` knows; others are added in tools/vendor.toml."""
    return _symbols(content_hash(SPRITE))


def icon(name: str, label: str = "", size: str = "") -> Markup:
    """An icon: decoration unless labelled. `size` is "", "small" or "large". LookupError if it is not vendored."""
    if name not in icons():
        raise LookupError(f"icon {name!r} is not in the sprite; add it to tools/vendor.toml and run tools/vendor.py")
    meaning = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    shape = Markup('<svg class="icon {}" {} focusable="false" width="20" height="20"><use href="{}#{}"></use></svg>')
    return shape.format(size, meaning, asset(SPRITE), name)


def with_query(**changes: Any) -> str:
    """This page's address with some query parameters changed; None takes one out."""
    kept = {key: values for key, values in request.args.lists() if key not in changes}
    new = {key: [value] for key, value in changes.items() if value is not None}
    query = urlencode({**kept, **new}, doseq=True)
    return f"{request.path}?{query}" if query else request.path


def sort_link(key: str, current: str) -> str:
    """The address that sorts by `key`: largest first (`-key`), then, asked again, smallest first."""
    return with_query(sort=key if current == f"-{key}" else f"-{key}", page=None)


def col(label: str, sort: str = "", numeric: bool = False) -> dict[str, Any]:
    """A column of the table macro. `sort` is its key in `?sort=`."""
    return {"label": label, "sort": sort, "numeric": numeric}


def label_cells(row: str | Markup, columns: list[dict[str, Any]]) -> Markup:
    """The cells of one row, each told its column's name, so that a phone can show the row as a card."""
    left = iter(columns)

    def mark(found: re.Match[str]) -> str:
        column = next(left, None)
        if column is None:
            return found[0]
        kind = ' data-numeric=""' if column["numeric"] else ""
        return f'{found[0]} data-label="{escape(column["label"])}"{kind}'

    # Escaped unless it is markup already; what `mark` adds is escaped there.
    return Markup(re.sub(r"<t[dh]\b", mark, str(escape(row))))  # noqa: S704


def language() -> str:
    """The page's language, "en" or "es"."""
    locale = get_locale()
    return locale.language if locale else "en"


def number(value: float | int | Decimal | None, digits: int = 0) -> str:
    """1234.5 as "1,235" or "1235" the way the reader's language groups it; None as a dash."""
    if value is None:
        return NOTHING
    pattern = "#,##0" + (f".{'0' * digits}" if digits else "")
    return format_decimal(value, format=pattern, locale=get_locale())


def percent(ratio: float | None, digits: int = 1) -> str:
    """0.048 as "4.8%"; None as a dash."""
    if ratio is None:
        return NOTHING
    pattern = "#,##0" + (f".{'0' * digits}" if digits else "") + ("\u00a0%" if language() == "es" else "%")
    return format_percent(ratio, format=pattern, locale=get_locale())


def rate(part: float, whole: float, digits: int = 1) -> str:
    """part / whole as a percentage; a dash if there is no whole."""
    return percent(part / whole if whole else None, digits)


def signed(value: float | None, digits: int = 0) -> str:
    """An NPS or a change: "+42", "0", and for less a real minus sign, not a hyphen."""
    if value is None:
        return NOTHING
    text = number(abs(value), digits)
    if not any(digit in text for digit in "123456789"):
        return text
    return ("+" if value > 0 else "\u2212") + text


def money(minor: int | None, currency: str) -> str:
    """Integer minor units (cents) of an ISO 4217 currency, as people write it."""
    if minor is None:
        return NOTHING
    amount = Decimal(minor).scaleb(-get_currency_precision(currency))
    return format_currency(amount, currency, locale=get_locale())


def day(value: date | datetime | None, form: str = "medium") -> str:
    """A date in the reader's language; a moment is taken in the reader's time zone."""
    return format_date(value, form) if value else NOTHING


def moment(value: datetime | None, form: str = "medium") -> str:
    """Date and time in the reader's time zone."""
    return format_datetime(value, form) if value else NOTHING


def ago(value: datetime | None) -> str:
    """ "3 hours ago", "in 2 days"; a year and more as the date."""
    if value is None:
        return NOTHING
    delta = value - clock.now()
    if abs(delta) >= YEAR:
        return day(value)
    return format_timedelta(delta, add_direction=True, threshold=1.2, locale=get_locale())


def palette_of(brand: Any) -> Palette:
    """The palette of a brand's accent, ours if there is none. For mail, which loads no stylesheet."""
    theme: Mapping[str, Any] = getattr(brand, "theme", None) or {}
    return palette(theme.get("accent"))


def theme_href(brand: Any) -> str:
    """The brand's stylesheet, named by its accent, so that it too may be kept; "" if the brand has no accent."""
    accent = str((getattr(brand, "theme", None) or {}).get("accent") or "")
    return f"/brand/{quote(brand.slug, safe='')}/theme.css?v={quote(accent.lstrip('#'))}" if accent else ""


def theme_choice() -> str:
    """What the reader chose with the theme switch: "light", "dark", or "" for what the device says."""
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in ("light", "dark") else ""


def _keep(response: Response) -> Response:
    """A static file asked for by its current hash never changes; anything else is checked each time."""
    if request.endpoint == "static" and response.status_code in (200, 304):
        filename = (request.view_args or {}).get("filename", "")
        current = request.args.get("v") == content_hash(filename)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if current else "no-cache"
    return response


FILTERS = (number, percent, signed, money, day, moment, ago, label_cells)
HELPERS = (asset, icon, with_query, sort_link, col, language, rate, palette_of, theme_href, theme_choice)


def _live(helper: Callable[..., str]) -> Callable[..., str]:
    """The helper as a filter that always runs: of a constant, Jinja would keep what the first reader got."""

    @pass_context
    def run(_context: Context, *args: Any, **kwargs: Any) -> str:
        return helper(*args, **kwargs)

    return run


def init_app(app: Flask) -> None:
    """Gives templates these helpers, by their own names, and lets hashed static files be kept for ever."""
    app.jinja_env.filters.update({helper.__name__: _live(helper) for helper in FILTERS})
    app.jinja_env.globals.update({helper.__name__: helper for helper in HELPERS}, LANGUAGE_NAMES=LANGUAGE_NAMES)
    app.after_request(_keep)
