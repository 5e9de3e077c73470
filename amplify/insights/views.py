"""The console's page about what a start brought, measured against the people it kept back; and the same as a file."""

from collections.abc import Callable

from flask import Blueprint, Response, g, render_template

from amplify.campaigns import queries as campaign_queries
from amplify.campaigns.models import Campaign
from amplify.core import ui
from amplify.core.db import db
from amplify.core.i18n import gettext as _
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.insights import effect
from amplify.insights.measuring import Measured, measure, measure_all
from amplify.leaderboards.models import Snapshot
from amplify.rewards.presenting import start_asked, when
from amplify.rewards.queries import snapshots

blueprint = Blueprint("effects", __name__, url_prefix="/console/campaigns/<int:campaign_id>")
Write = Callable[[float | None], str]


@blueprint.get("/effect")
@staff()
def show(campaign_id: int) -> str:
    """The latest start so far, another, or all of them; it counts on while the campaign runs."""
    campaign = _campaign(campaign_id)
    starts, start, measured = _measured(campaign)
    return render_template(
        "insights/effect.html",
        campaign=campaign,
        measured=measured,
        starts=starts,
        start=start,
        effect=effect,
        write=lambda unit: _writer(unit, measured.currency if measured else ""),
        when=when,
    )


@blueprint.get("/effect.csv")
@staff()
def as_csv(campaign_id: int) -> Response:
    """Every figure with its definition, its parts and its interval; money in minor units."""
    _starts, start, measured = _measured(_campaign(campaign_id))
    header = [_("Figure"), _("Definition"), _("Rewarded"), _("Kept back"), _("Difference"), _("From"), _("To")]
    rows: list[tuple[object, ...]] = []
    if measured is not None:
        rows += [
            (str(one.label), str(one.definition), one.part, "", one.part / one.whole if one.whole else None,
             *(one.interval or ("", "")))
            for one in effect.rates(measured)
        ]  # fmt: skip
        rows += [
            (
                str(one.label),
                str(one.definition),
                one.rewarded,
                one.held_out,
                one.difference,
                *(one.interval or ("", "")),
            )
            for one in effect.comparisons(measured)
        ]
        friends, cost = measured.delivered.friends, measured.delivered.friends_cost_minor
        rows += [
            (_("Friends rewarded"), _("Friends who got a reward of their own."), friends, "", "", "", ""),
            (_("Cost of friends"), _("What these rewards are worth, in minor units."), cost, "", "", "", ""),
        ]
        rows += _gains(effect.gain(measured))
    named = f"-start-{start}" if start else ""
    return csv_response(f"campaign-{campaign_id}-effect{named}", header, rows)


def _gains(gain: effect.Gain | None) -> list[tuple[object, ...]]:
    if gain is None:
        return []
    return [
        (_("Conversions gained"), "", "", "", gain.conversions, *(gain.conversions_interval or ("", ""))),
        (_("Revenue gained"), "", "", "", gain.revenue_minor, *(gain.revenue_interval or ("", ""))),
        (_("Cost"), "", gain.cost_minor, "", "", "", ""),
        (_("Cost per conversion gained"), "", "", "", gain.cost_per_conversion, *(gain.cost_interval or ("", ""))),
    ]


def _writer(unit: str, currency: str) -> Write:
    """How a figure of this unit is written; a difference keeps its sign."""
    plain: dict[str, Write] = {
        "percent": ui.percent,
        "number": lambda value: ui.number(value, 3),
        "count": lambda value: ui.number(value, 1),
        "money": lambda value: ui.money(None if value is None else round(value), currency),
    }
    return plain[unit]


def _measured(campaign: Campaign) -> tuple[list[Snapshot], int | None, Measured | None]:
    """Every start, which is asked for (None: all), and its figures."""
    starts = snapshots(db.session, campaign)
    start = start_asked(starts, starts[-1].occurrence if starts else None)
    return starts, start, measure_all(db.session, campaign) if start is None else measure(db.session, campaign, start)


def _campaign(campaign_id: int) -> Campaign:
    return campaign_queries.get(db.session, g.brand.id, campaign_id)
