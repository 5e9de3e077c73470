"""How answers and their NPS are laid out for people: as rows of a sheet, and as charts with their small print."""

from typing import Any

from amplify.core.charts import Chart, Series
from amplify.core.i18n import gettext as _
from amplify.surveys.models import Response
from amplify.surveys.nps import NpsRow

# More bars than this cannot be read; the table below has them all.
MOST_BARS = 20


def columns_of() -> tuple[str, ...]:
    """The header of the answers' CSV: names of the API's fields, the same in every language."""
    return (
        "answered_at",
        "scale",
        "given",
        "score",
        "category",
        "comment",
        "business_line",
        "location",
        "touchpoint",
        "employee_key",
        "customer_external_id",
        "customer_email",
        "locale",
        "source",
        "external_id",
        "revision",
    )


def sheet_of(response: Response) -> tuple[Any, ...]:
    """One answer as a row of that sheet."""
    who = response.customer
    return (
        response.answered_at.isoformat(),
        response.scale,
        response.given,
        response.score,
        response.category,
        response.comment,
        response.business_line.name if response.business_line else "",
        response.location.name if response.location else "",
        response.touchpoint,
        response.employee_key,
        (who.external_id if who else None) or "",
        (who.email if who else None) or "",
        response.locale,
        response.source,
        response.external_id,
        response.revision,
    )


def chart_of(dimension: str, rows: list[NpsRow]) -> Chart | None:
    """The NPS of the groups with enough answers, best first; of many, those with the most answers. None without any."""
    enough = [row for row in rows if not row.is_small]
    largest = sorted(enough, key=lambda row: -row.n)[:MOST_BARS]
    shown = [row for row in enough if row in largest]
    if not shown:
        return None
    of_lines = dimension == "business_line"
    note = _("Promoters minus detractors, in percent of the answers. Groups with few answers are left out.")
    if len(enough) > len(shown):
        note += " " + _("The %(number)s with the most answers are shown.", number=len(shown))
    return Chart(
        kind="bars",
        title=_("NPS by business line") if of_lines else _("NPS by location"),
        axis=_("Business line") if of_lines else _("Location"),
        categories=[row.name or "" for row in shown],
        series=[Series("NPS", [round(row.nps or 0.0, 1) for row in shown], "accent")],
        note=note,
    )
