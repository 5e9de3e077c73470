"""Sample content for the living style guide: every part of the interface in its states, on one page."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from wtforms import BooleanField, Form, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from amplify.core import clock
from amplify.core.charts import Chart, Series
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l


class SampleForm(Form):  # type: ignore[misc]  # WTForms brings no types; nothing here is posted
    """One field of each kind; posted empty it shows its errors."""

    name = StringField(_l("Name"), [InputRequired(_l("Give it a name."))], description=_l("Only your team sees it."))
    audience = SelectField(
        _l("Audience"), choices=[SelectChoice("top", _l("The most engaged")), SelectChoice("all", _l("Everybody"))]
    )
    text = TextAreaField(_l("Text"))
    when = RadioField(
        _l("Start"), choices=[SelectChoice("now", _l("At once")), SelectChoice("later", _l("Later"))], default="now"
    )
    agreed = BooleanField(_l("I have read the disclosure."))


def _charts() -> dict[str, Chart]:
    lines = ["Aurora Air", "Borealis", "Cirrus Regional", "Delta Nova"]
    weeks = [f"{week:02}" for week in range(1, 13)]
    window = _("last 90 days")
    return {
        "bars": Chart(
            "bars", _("NPS by business line"), _("Business line"), lines, [Series("NPS", [62, 41, 18, -7])], note=window
        ),
        "lines": Chart(
            "lines",
            _("Clicks by week"),
            _("Week"),
            weeks,
            [
                Series(_("Human clicks"), [12, 18, 25, 31, 28, 40, 52, 49, 61, 70, 66, 82], "accent"),
                Series(_("Raw clicks"), [30, 44, 61, 70, 66, 91, 120, 118, 133, 160, 149, 171], "muted"),
            ],
            note=window,
        ),
        "stacked": Chart(
            "stacked",
            _("Answers by business line"),
            _("Business line"),
            lines,
            [
                Series(_("Detractors"), [0.12, 0.2, 0.3, 0.41], "detractor"),
                Series(_("Passives"), [0.14, 0.19, 0.22, 0.25], "passive"),
                Series(_("Promoters"), [0.74, 0.61, 0.48, 0.34], "promoter"),
            ],
            unit="percent",
            note=window,
        ),
    }


def _standings() -> list[dict[str, Any]]:
    names = [("Quiet Heron", 1248, 96), ("Amber Fox", 1103, 71), ("Silver Birch", 987, 64), ("Bright Lark", 640, 22)]
    return [
        {"rank": rank, "name": name, "points": points, "clicks": clicks, "highlight": rank == 3}
        for rank, (name, points, clicks) in enumerate(names, 1)
    ]


def _nav() -> list[SimpleNamespace]:
    overview, *entries = [
        SimpleNamespace(label=_("Overview"), href="#overview", icon="layout-dashboard", active=True),
        SimpleNamespace(label=_("Surveys"), href="#surveys", icon="clipboard-list", active=False),
        SimpleNamespace(label=_("Campaigns"), href="#campaigns", icon="megaphone", active=False),
        SimpleNamespace(label=_("Leaderboard"), href="#leaderboard", icon="trophy", active=False),
    ]
    group = SimpleNamespace(label=_("Advocates"), active=False, entries=entries)
    return [SimpleNamespace(label="", active=True, entries=[overview]), group]


def samples() -> dict[str, Any]:
    """The context of styleguide.html and styleguide_customer.html."""
    posted = SampleForm(prefix="posted-", audience="top")
    posted.validate()
    return {
        "nav": _nav(),
        "form": SampleForm(),
        "posted": posted,
        "charts": _charts(),
        "standings": _standings(),
        "earlier": clock.now() - timedelta(hours=3),
    }
