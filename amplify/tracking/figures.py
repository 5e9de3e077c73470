"""How clicks are drawn: a link's days, all requests beside those of people."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.charts import Chart, Series
from amplify.core.i18n import gettext as _
from amplify.core.ui import day
from amplify.tracking import counting, queries

DAYS = 30


def days_of(session: Session, brand: Brand, link: queries.LinkRow) -> Chart:
    """The link's last thirty days, or as many as it has lived, in the brand's time zone, from roll-ups alone."""
    zone = ZoneInfo(brand.timezone)
    last = clock.now().astimezone(zone).date()
    first = max(link.created_at.astimezone(zone).date(), last - timedelta(days=DAYS - 1))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    raw, human = dict.fromkeys(days, 0), dict.fromkeys(days, 0)
    begins = datetime(first.year, first.month, first.day, tzinfo=zone)
    for hour, everybody, people in queries.hours(session, link.id, counting.hour_of(begins)):
        on = _day_of(hour, zone)
        if on in raw:
            raw[on] += everybody
            human[on] += people
    return Chart(
        kind="lines",
        title=_("Requests a day"),
        axis=_("Day"),
        categories=[day(one, "short") for one in days],
        series=[
            Series(_("All requests"), list(raw.values()), "muted"),
            Series(_("Human clicks"), list(human.values()), "accent"),
        ],
        note=_("Judged requests by days in %(zone)s, the last %(number)s at most.", zone=brand.timezone, number=DAYS),
    )


def _day_of(hour: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(hour * counting.HOUR_SECONDS, UTC).astimezone(zone).date()
