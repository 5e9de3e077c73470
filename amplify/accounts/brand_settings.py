"""The settings form and the brand's columns: one to the other and back."""

from typing import Any

from sqlalchemy.orm import Session

from amplify.accounts import audit
from amplify.accounts.forms import SettingsForm, refuse
from amplify.brands.models import Brand
from amplify.brands.policy import change_policy
from amplify.core.errors import Invalid
from amplify.core.i18n import LANGUAGES

THEME = ("accent", "wordmark", "logo_url")
NUMBERS = ("promoter_min", "detractor_max")
PLAIN = (
    "name",
    "default_locale",
    "timezone",
    "postal_address",
    "privacy_url",
    "ask_every_days",
    "declined_rest_days",
    "keep_clicks_days",
    "risk_hold",
    "risk_refuse",
    "counts_opens",
)


def as_form(brand: Brand) -> dict[str, Any]:
    """What the form shows before it is changed."""
    return {
        **{name: getattr(brand, name) for name in (*PLAIN, *NUMBERS)},
        **{name: brand.theme.get(name, "") for name in THEME},
        "target_hosts": "\n".join(brand.target_hosts),
        "frame_origins": "\n".join(brand.frame_origins),
        "disposable_domains": "\n".join(brand.disposable_domains),
        **{f"suggestions_{code}": "\n".join(brand.suggestions.get(code, [])) for code in LANGUAGES},
    }


def from_form(form: SettingsForm) -> dict[str, Any]:
    """The brand's columns as the form wants them."""
    data = form.data
    return {
        **{name: data[name] for name in PLAIN},
        **{name: float(data[name]) for name in NUMBERS},
        "theme": {name: data[name] or "" for name in THEME},
        "target_hosts": (data["target_hosts"] or "").split(),
        "frame_origins": (data["frame_origins"] or "").split(),
        "disposable_domains": (data["disposable_domains"] or "").split(),
        "suggestions": {code: (data[f"suggestions_{code}"] or "").splitlines() for code in LANGUAGES},
    }


def save(session: Session, brand: Brand, form: SettingsForm, actor: str, *, attribution_days: int) -> bool:
    """Store the form; False when a rule refuses it, then the field says why."""
    try:
        changed = change_policy(session, brand, from_form(form), attribution_days=attribution_days)
    except Invalid as refused:
        refused.field = _field_of(refused.field or "")
        refuse(form, refused)
        return False
    note(session, brand, changed, actor)
    return True


def note(session: Session, brand: Brand, changed: dict[str, list[Any]], actor: str) -> None:
    """Who changed which rule, from what to what, stands in the audit log."""
    if changed:
        detail = {name: {"before": before, "after": after} for name, (before, after) in changed.items()}
        audit.record(session, brand.id, actor, "brand.policy-changed", "brand", brand.slug, detail)


def _field_of(path: str) -> str:
    """ "theme.accent" is the form's `accent`, "suggestions.en" its `suggestions_en`."""
    head, _dot, tail = path.partition(".")
    return f"{head}_{tail}" if head == "suggestions" else tail or head
