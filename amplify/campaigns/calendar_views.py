"""The console's calendar: a month of all campaigns, and the same as a file for other calendars."""

import re
from datetime import date, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.dates import get_day_names
from flask import Blueprint, Response, g, render_template, request
from flask_babel import get_locale

from amplify.campaigns import ics, planner
from amplify.core import clock
from amplify.core.db import db
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.web import amplify

blueprint = Blueprint("calendar", __name__, url_prefix="/console/campaigns/calendar")

MONTH = re.compile(r"(20\d\d|21\d\d)-(0[1-9]|1[0-2])", re.ASCII)
# What the file holds: enough to look back at, and a year ahead.
BACK, AHEAD = timedelta(days=90), timedelta(days=366)


@blueprint.get("")
@staff()
def month() -> str:
    """A month: `?month=2026-11`, else the current one. Raises Invalid."""
    zone = ZoneInfo(g.brand.timezone)
    today = clock.now().astimezone(zone).date()
    shown = planner.month(db.session, g.brand, _asked(today), clock.now())
    names = get_day_names("abbreviated", "stand-alone", get_locale())
    return render_template(
        "campaigns/calendar.html", month=shown, today=today, zone=zone, kinds=planner.KINDS,
        weekdays=[names[day] for day in range(7)],
    )  # fmt: skip


@blueprint.get("/campaigns.ics")
@staff()
def file() -> Response:
    """The last three months and the year to come, for a calendar program."""
    now, base = clock.now(), amplify().settings.base_url.rstrip("/")
    found = planner.marks(db.session, g.brand, now - BACK, now + AHEAD, now)
    text = ics.calendar(g.brand.name, found, now, urlsplit(base).hostname or "amplify.invalid", base)
    response = Response(text, content_type="text/calendar; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{g.brand.slug}-campaigns.ics"'
    return response


def _asked(today: date) -> date:
    said = request.args.get("month", "")
    if not said:
        return today.replace(day=1)
    if not MONTH.fullmatch(said):
        raise Invalid("month", "month", _l("Give a month as 2026-11."))
    return date.fromisoformat(f"{said}-01")
