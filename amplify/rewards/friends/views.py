"""The console's page about a campaign's friends: who asked, got and used it, and why others did not; and as a file."""

from flask import Blueprint, Response, g, render_template, request

from amplify.campaigns import queries as campaign_queries
from amplify.campaigns.models import Campaign
from amplify.core.db import db
from amplify.core.errors import NotFound
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.rewards.friends import queries
from amplify.rewards.friends.judging import RULES
from amplify.rewards.presenting import when

blueprint = Blueprint("friends_results", __name__, url_prefix="/console/campaigns/<int:campaign_id>")

PAGE = 50


@blueprint.get("/friends")
@staff()
def show(campaign_id: int) -> str:
    """The counts, then every friend who asked, the latest first."""
    campaign = _campaign(campaign_id)
    found = queries.results(db.session, campaign)
    if found is None:
        raise NotFound(_l("This campaign gives friends nothing."), rule="nothing-for-friends")
    page = max(1, request.args.get("page", 1, type=int))
    return render_template(
        "rewards/friends.html",
        campaign=campaign,
        friends=found,
        lines=list(queries.lines(db.session, campaign, PAGE, min(page - 1, 10**6) * PAGE)),
        page=page,
        pages=max(1, -(-found.asked // PAGE)),
        rules=RULES,
        when=when,
    )


@blueprint.get("/friends.csv")
@staff()
def as_csv(campaign_id: int) -> Response:
    """The same as a file: one row per friend, and no code."""
    campaign = _campaign(campaign_id)
    header = [
        _("Asked"), _("Came through"), _("State"), _("Reason"), _("Language"), _("Amount in minor units"),
        _("Currency"), _("Given"), _("Redeemed"),
    ]  # fmt: skip
    rows = (
        (line.asked_at.isoformat(), line.name, line.state, line.reason, line.locale, line.amount_minor,
         g.brand.currency, line.sent_at and line.sent_at.isoformat(), line.redeemed_at and line.redeemed_at.isoformat())
        for line in queries.lines(db.session, campaign)
    )  # fmt: skip
    return csv_response(f"campaign-{campaign.id}-friends", header, rows)


def _campaign(campaign_id: int) -> Campaign:
    return campaign_queries.get(db.session, g.brand.id, campaign_id)
