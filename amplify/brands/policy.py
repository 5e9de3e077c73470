"""A brand's rules and look, checked as a whole before any of them changes."""

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from amplify.brands.events import RiskPolicyChanged, ScoringChanged
from amplify.brands.models import DEFAULT_WEIGHTS, TIE_RULES, Brand
from amplify.brands.services import check_timezone
from amplify.core import colour, events
from amplify.core.errors import Invalid
from amplify.core.i18n import LANGUAGES
from amplify.core.i18n import lazy_gettext as _l

HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
ORIGIN = re.compile(r"https://(?P<host>[a-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?/?")
MAX_HOSTS = 50
MAX_SUGGESTIONS = 10
MAX_POINTS = 1_000_000
SCORING = ("weights", "half_life_days", "tie_rule")

RISK = ("risk_hold", "risk_refuse")
TOGETHER = ("promoter_min", "detractor_max", *RISK)

# Column -> (lowest, highest) value.
RANGES: dict[str, tuple[float, float]] = {
    "promoter_min": (0, 10),
    "detractor_max": (0, 10),
    "half_life_days": (0.5, 3650),
    "ask_every_days": (1, 3650),
    "declined_rest_days": (1, 3650),
    "quiet_from_hour": (0, 23),
    "quiet_until_hour": (0, 23),
    "keep_clicks_days": (1, 3650),
    "risk_hold": (1, 100),
    "risk_refuse": (1, 100),
    "cap_messages": (0, 1000),
    "cap_days": (1, 365),
    "sms_thousand_minor": (0, 100_000_000),
}
# Of these, empty means without end.
MAY_BE_EMPTY = ("keep_clicks_days",)
# Column -> most characters.
LENGTHS = {"name": 200, "postal_address": 500, "privacy_url": 500}


def change_policy(
    session: Session, brand: Brand, changes: dict[str, Any], *, attribution_days: int = 1
) -> dict[str, list[Any]]:
    """Apply changes (column -> value) that hold together; returns what really changed, as before and after.

    A click is kept at least as long as an order may follow it: `attribution_days`, a setting of the installation.
    Raises Invalid naming the column. Publishes ScoringChanged when points count differently from now on, and
    RiskPolicyChanged when other scores are held.
    """
    wanted = {name: _checked(name, value) for name, value in changes.items()}
    _check_together({name: wanted.get(name, getattr(brand, name)) for name in TOGETHER})
    _check_kept(wanted.get("keep_clicks_days"), attribution_days)
    changed = {name: [getattr(brand, name), value] for name, value in wanted.items() if getattr(brand, name) != value}
    for name, (_before, after) in changed.items():
        setattr(brand, name, after)
    session.flush()
    if any(name in changed for name in SCORING):
        events.publish(session, ScoringChanged(brand))
    if any(name in changed for name in RISK):
        events.publish(session, RiskPolicyChanged(brand))
    return changed


def _checked(name: str, value: Any) -> Any:
    if name in RANGES:
        return None if value is None and name in MAY_BE_EMPTY else _in_range(name, value)
    if name in LENGTHS:
        return _short(name, value)
    checks: dict[str, Callable[[str, Any], Any]] = {
        "default_locale": _language,
        "timezone": check_timezone,
        "theme": _theme,
        "target_hosts": _hosts,
        "frame_origins": _origins,
        "disposable_domains": _hosts,
        "weights": _weights,
        "tie_rule": _tie_rule,
        "suggestions": _suggestions,
        "counts_opens": lambda _name, value: bool(value),
    }
    return checks[name](name, value)


def _in_range(name: str, value: float) -> float:
    low, high = RANGES[name]
    if not low <= value <= high:
        message = _l("The value lies between %(low)s and %(high)s.", low=low, high=high)
        raise Invalid(name, "range", message)
    return value


def _short(name: str, value: str) -> str:
    text = value.strip()
    if len(text) > LENGTHS[name] or (name == "name" and not text):
        message = _l("The text has at most %(number)s characters.", number=LENGTHS[name])
        raise Invalid(name, "length", message)
    if name == "privacy_url" and text and not text.startswith("https://"):
        raise Invalid(name, "url", _l("This is not a web address that begins with https://."))
    return text


def _language(name: str, value: str) -> str:
    if value not in LANGUAGES:
        raise Invalid(name, "language", _l("Amplify does not speak this language."))
    return value


def _theme(name: str, value: dict[str, str]) -> dict[str, str]:
    """accent as #rrggbb, logo_url as https, wordmark short; what is empty is left out."""
    theme = {part: text.strip() for part, text in value.items() if text and text.strip()}
    if accent := theme.get("accent"):
        theme["accent"] = colour.hexadecimal(colour.parse(accent))
    if not theme.get("logo_url", "https://").startswith("https://"):
        raise Invalid("theme.logo_url", "url", _l("This is not a web address that begins with https://."))
    if len(theme.get("wordmark", "")) > 40:
        raise Invalid("theme.wordmark", "length", _l("The text has at most %(number)s characters.", number=40))
    return theme


def _hosts(name: str, value: list[str]) -> list[str]:
    hosts = list(dict.fromkeys(_ascii_host(name, host) for host in value if host.strip()))
    if len(hosts) > MAX_HOSTS:
        raise Invalid(name, "max-items", _l("At most %(number)s hosts.", number=MAX_HOSTS))
    return hosts


def _origins(name: str, value: list[str]) -> list[str]:
    """https://host, perhaps with a port: what frame-ancestors takes, and nothing that could end the header's part."""
    origins = list(dict.fromkeys(_origin(name, text.strip().lower()) for text in value if text.strip()))
    if len(origins) > MAX_HOSTS:
        raise Invalid(name, "max-items", _l("At most %(number)s addresses.", number=MAX_HOSTS))
    return origins


def _origin(name: str, text: str) -> str:
    found = ORIGIN.fullmatch(text)
    if found is None or not HOST.fullmatch(found["host"]) or not 0 < int(found["port"] or 443) < 65536:
        message = _l("Write addresses such as https://www.example.com, without a path.")
        raise Invalid(name, "https-origin", message)
    return text.removesuffix("/")


def _ascii_host(name: str, host: str) -> str:
    try:
        plain = host.strip().lower().encode("idna").decode()
    except UnicodeError:
        plain = ""
    if not HOST.fullmatch(plain):
        message = _l("Write host names only, such as shop.example.com, without https:// and without a path.")
        raise Invalid(name, "host", message)
    return plain


def _weights(name: str, value: dict[str, int]) -> dict[str, int]:
    """Milli-points per cause. Only outcomes can earn rewards, so an unknown cause is refused (product.md rule 2)."""
    for cause, milli in value.items():
        if cause not in DEFAULT_WEIGHTS:
            raise Invalid(f"weights.{cause}", "cause", _l("Nothing else can earn points."))
        if not 0 <= milli <= MAX_POINTS * 1000:
            message = _l("The value lies between %(low)s and %(high)s.", low=0, high=MAX_POINTS)
            raise Invalid(f"weights.{cause}", "range", message)
    return {**DEFAULT_WEIGHTS, **value}


def _tie_rule(name: str, value: str) -> str:
    if value not in TIE_RULES:
        raise Invalid(name, "tie-rule", _l("There is no such rule for equal scores."))
    return value


def _suggestions(name: str, value: dict[str, list[str]]) -> dict[str, list[str]]:
    kept = {language: [text.strip() for text in texts if text.strip()] for language, texts in value.items()}
    for language, texts in kept.items():
        _language(f"suggestions.{language}", language)
        if len(texts) > MAX_SUGGESTIONS or any(len(text) > 280 for text in texts):
            message = _l("At most %(number)s suggestions of 280 characters each.", number=MAX_SUGGESTIONS)
            raise Invalid(f"suggestions.{language}", "max-items", message)
    return kept


def _check_together(scores: dict[str, float]) -> None:
    if scores["risk_refuse"] < scores["risk_hold"]:
        message = _l("What is refused has at least the risk of what is held.")
        raise Invalid("risk_refuse", "below-hold", message)
    if scores["detractor_max"] >= scores["promoter_min"]:
        message = _l("Promoters begin above the highest score of detractors.")
        raise Invalid("promoter_min", "above-detractors", message)


def _check_kept(days: int | None, attribution_days: int) -> None:
    if days is not None and days < attribution_days:
        message = _l("An order may follow a click after %(days)s days: keep clicks for so long.", days=attribution_days)
        raise Invalid("keep_clicks_days", "attribution-days", message)
