"""A campaign's history as staff reads it: a line for each field, in the words of the form."""

from datetime import date, datetime
from typing import Any, NamedTuple

from flask_babel import format_datetime
from sqlalchemy.orm import Session
from wtforms import DateField, Field, IntegerField

from amplify.accounts.queries import actor_names
from amplify.brands.models import Brand
from amplify.campaigns import history
from amplify.campaigns.models import Campaign
from amplify.core.i18n import gettext as _
from amplify.core.ui import LANGUAGE_NAMES, money, number
from amplify.core.ui import day as shown_day
from amplify.rewards.forms import CampaignForm, named


class Changed(NamedTuple):
    """One field that somebody changed, from what to what; `revision` is the campaign's version since then."""

    revision: int
    at: datetime
    who: str
    label: str
    before: str
    after: str


def of(session: Session, brand: Brand, campaign: Campaign) -> list[Changed]:
    """Every changed field, the latest change first."""
    form = CampaignForm(formdata=None).offer(session, brand)
    who = actor_names(session, brand.id)
    return [
        Changed(edit.revision, edit.at, who.get(edit.actor, edit.actor), *_told(form, brand, name, both))
        for edit in history.edits(session, campaign)
        for name, both in edit.changes.items()
    ]


def _told(form: CampaignForm, brand: Brand, name: str, both: list[Any]) -> tuple[str, str, str]:
    """Label, before and after of one field."""
    inner = name.removeprefix("reward.")
    known, lang = named(inner)
    field = form[known] if known in form else None  # noqa: SIM401  a form has no `get`
    label = str(field.label.text) if field else inner
    label += f" ({LANGUAGE_NAMES[lang]})" if lang in LANGUAGE_NAMES else ""
    if inner.endswith("_minor"):
        both = [value if value is None else money(value, brand.currency) for value in both]
    before, after = (_said(field, value) for value in both)
    return label, before, after


def _said(field: Field | None, value: Any) -> str:
    """A stored value as the form would show it, in the reader's language."""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, list):
        return ", ".join(_said(field, one) for one in value)
    choices = {str(choice.value): str(choice.label) for choice in getattr(field, "choices", None) or ()}
    if choices or value is None:
        return choices.get("" if value is None else str(value), str(value or ""))
    if isinstance(field, DateField):
        return shown_day(date.fromisoformat(value))
    if isinstance(field, IntegerField):
        return number(value)
    if field is not None and field.render_kw == {"type": "datetime-local"}:
        return str(format_datetime(datetime.fromisoformat(value), rebase=False))
    return str(value)
