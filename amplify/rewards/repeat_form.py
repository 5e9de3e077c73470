"""The part of the campaign form that says whether it repeats, and the next starts that this means."""

from typing import Any

from babel.dates import get_day_names
from flask import g
from flask_babel import get_locale
from wtforms import DateField, IntegerField, SelectField, SelectMultipleField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from amplify.campaigns import recurrence
from amplify.campaigns.models import Campaign
from amplify.campaigns.schedule import read_local
from amplify.core import clock
from amplify.core.errors import AmplifyError, Invalid
from amplify.core.forms import Form
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.rewards.presenting import when

KINDS = [
    SelectChoice("", _l("Once")),
    SelectChoice("weekly", _l("Every week")),
    SelectChoice("monthly_weekday", _l("Every month, on a day of the week")),
    SelectChoice("monthly_day", _l("Every month, on a day of the month")),
]
NTHS = [
    SelectChoice("1", _l("the first")),
    SelectChoice("2", _l("the second")),
    SelectChoice("3", _l("the third")),
    SelectChoice("4", _l("the fourth")),
    SelectChoice("-1", _l("the last")),
]
SHOWN = 3


def weekdays() -> list[str]:
    """Monday to Sunday, as the reader's language writes them in a sentence."""
    names = get_day_names("wide", "format", get_locale())
    return [names[day] for day in range(7)]


def _weekday_choices() -> list[SelectChoice]:
    return [SelectChoice(str(day), name) for day, name in enumerate(weekdays())]


def _between(least: int, most: int) -> NumberRange:
    return NumberRange(least, most, _l("This number is not possible here."))


class RepeatForm(Form):
    """How it repeats; each kind reads the fields it needs and no other."""

    repeat_kind = SelectField(_l("How often it starts"), choices=KINDS, default="")
    repeat_weekdays = SelectMultipleField(
        _l("Days of the week"),
        choices=_weekday_choices,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    repeat_nth = SelectField(_l("Which of them in the month"), choices=NTHS, default="1")
    repeat_day = IntegerField(
        _l("Day of the month"), [Optional(), _between(1, 31)], description=_l("31 is the last day of each month.")
    )
    repeat_until = DateField(_l("Repeats until"), [Optional()], description=_l("That day included; empty: no end."))
    repeat_count = IntegerField(
        _l("Or so many times"), [Optional(), _between(1, 1000)], description=_l("Skipped ones are counted, too.")
    )

    def repeats_in(self) -> dict[str, Any] | None:
        """What CampaignIn takes; None: once. Raises Invalid."""
        kind = self.repeat_kind.data
        if not kind:
            return None
        if kind != "monthly_day" and not self.repeat_weekdays.data:
            raise Invalid("repeats.weekdays", "required", _l("Choose at least one day of the week."))
        if kind == "monthly_day" and not self.repeat_day.data:
            raise Invalid("repeats.day", "required", _l("Please fill this in."))
        if self.repeat_until.data and self.repeat_count.data:
            raise Invalid("repeats.until", "until-or-count", _l("Give a last day or a number of times, not both."))
        limits = {"until": self.repeat_until.data, "count": self.repeat_count.data}
        if kind == "monthly_day":
            return {"kind": kind, "day": self.repeat_day.data, **limits}
        days = [int(day) for day in self.repeat_weekdays.data]
        return {"kind": kind, "weekdays": days, "nth": int(self.repeat_nth.data or 1), **limits}


# What services call a field -> what the form calls it.
NAMES = {
    "repeats": "repeat_kind", "repeats.kind": "repeat_kind", "repeats.weekdays": "repeat_weekdays",
    "repeats.nth": "repeat_nth", "repeats.day": "repeat_day", "repeats.until": "repeat_until",
    "repeats.count": "repeat_count",
}  # fmt: skip


def values_of(campaign: Campaign) -> dict[str, Any]:
    """A stored rule as the form's values."""
    rule = recurrence.read_rule(campaign.repeats)
    if rule is None:
        return {}
    return {
        "repeat_kind": rule.kind, "repeat_weekdays": [str(day) for day in rule.weekdays], "repeat_nth": str(rule.nth),
        "repeat_day": rule.day if rule.kind == "monthly_day" else None, "repeat_until": rule.until,
        "repeat_count": rule.count,
    }  # fmt: skip


def next_starts(form: Any) -> list[str] | None:
    """The next three starts these fields mean, as the clocks there show them; None while they mean none."""
    try:
        data = form.repeats_in()
        repeats = recurrence.RepeatsIn(**data).plain() if data else {}
        zone, ends = form.timezone.data or g.brand.timezone, form.ends_local.data
        end = read_local(ends, zone, "ends_local").instant if ends else None
        found = recurrence.upcoming(repeats, form.starts_local.data or "", zone, clock.now(), end, SHOWN)
    except (AmplifyError, ValueError):  # pydantic's errors are ValueErrors
        return None
    return [when(due.at, zone) + _case(due.case) for due in found]


def in_words(campaign: Campaign) -> str:
    """The rule as a sentence; "" for one that starts once."""
    rule = recurrence.read_rule(campaign.repeats)
    if rule is None:
        return ""
    days = ", ".join(weekdays()[day] for day in rule.weekdays)
    nth = next(str(choice.label) for choice in NTHS if choice.value == str(rule.nth))
    said = {
        "weekly": _("every week: %(days)s", days=days),
        "monthly_weekday": _("every month: %(nth)s %(days)s", nth=nth, days=days),
        "monthly_day": _("every month on day %(day)s", day=rule.day),
    }[rule.kind]
    if rule.until:
        said += ", " + _("until %(day)s", day=rule.until.isoformat())
    return str(said + (", " + _("%(n)s times", n=rule.count) if rule.count else ""))


def _case(case: str) -> str:
    """What had to be decided because the clocks change that night."""
    said = {
        "gap": _("the clocks skip the time that was given"),
        "overlap": _("the first time, as the clocks show it twice"),
    }
    return f" ({said[case]})" if case in said else ""
