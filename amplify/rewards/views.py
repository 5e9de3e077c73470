"""The console's campaign pages: the list, one campaign, its form, its dry run and its states."""

from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from amplify.campaigns import always_on
from amplify.campaigns import queries as campaign_queries
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import SKIPPED, Campaign
from amplify.core import clock, nav
from amplify.core.db import db
from amplify.core.errors import AmplifyError, Conflict
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.delivery.channel import ways
from amplify.rewards import (
    audience_form,
    changes,
    forms,
    presenting,
    queries,
    repeat_form,
    rules,
    services,
    texting,
    writing,
)
from amplify.rewards.dry_run import WAITS, dry_run, people
from amplify.rewards.eligibility import RULES
from amplify.rewards.forms import CampaignForm
from amplify.rewards.friends import queries as befriended
from amplify.rewards.friends import terms as friends
from amplify.rewards.friends.benefit import friends_dry_run
from amplify.rewards.models import FRIEND

blueprint = Blueprint("campaigns", __name__, url_prefix="/console/campaigns")
nav.add("campaigns.index", _l("Campaigns"), "megaphone", order=30)

blueprint.context_processor(presenting.context)
VERBS = {
    "draft": campaigns.unschedule,
    "pause": campaigns.pause,
    "resumption": campaigns.resume,
    "end": campaigns.end,
    "stop": campaigns.stop,
}
DONE = {
    "schedule": _l("It is scheduled."),
    "start": _l("It has started."),
    "draft": _l("It is a draft again."),
    "pause": _l("It is paused."),
    "resumption": _l("It goes on."),
    "end": _l("It has ended."),
    "stop": _l("It is stopped."),
}


@blueprint.get("")
@staff()
def index() -> str:
    """All campaigns with their states and times."""
    found = campaign_queries.of_brand(db.session, g.brand.id, request.args.get("state") or None)
    between = always_on.of(db.session, g.brand)
    return render_template("campaigns/index.html", campaigns=found, between=between, when=presenting.when)


@blueprint.get("/new")
@staff(*presenting.EDITORS)
def new() -> str:
    """An empty form with sensible beginnings."""
    return _form(CampaignForm(formdata=None, data=forms.defaults(g.brand)), None)


@blueprint.post("")
@staff(*presenting.EDITORS)
def create() -> ResponseReturnValue:
    """Store a draft."""
    return _write(None)


@blueprint.get("/<int:campaign_id>")
@staff()
def show(campaign_id: int) -> str:
    """One campaign: what it is, what may be done with it, what it has come to."""
    campaign = _campaign(campaign_id)
    results = queries.results(db.session, campaign)
    return render_template(
        "campaigns/show.html",
        campaign=campaign,
        results=results,
        rule=results.reward and rules.in_words(results.reward.rule),
        codes_left=services.codes_left(db.session, campaign),
        acts=presenting.acts_of(campaign),
        effect=presenting.effect_of(campaign, results.reward),
        note=presenting.clock_note(campaign),
        when=presenting.when,
        audience=audience_form.in_words(db.session, campaign.audience),
        repeats=repeat_form.in_words(campaign),
        occurrences=campaign_queries.occurrences(db.session, campaign),
        skipped=SKIPPED,
        history=changes.of(db.session, g.brand, campaign),
        friends=befriended.results(db.session, campaign),
        friends_codes_left=services.codes_left(db.session, campaign, FRIEND),
        friends_when=friends.WHEN,
    )


@blueprint.get("/<int:campaign_id>/history.csv")
@staff()
def history_csv(campaign_id: int) -> Response:
    """Every field that was ever changed, by whom, from what to what."""
    header = [_("When"), _("Version"), _("Who"), _("Field"), _("Before"), _("After")]
    rows = (
        (one.at.isoformat(), one.revision, one.who, one.label, one.before, one.after)
        for one in changes.of(db.session, g.brand, _campaign(campaign_id))
    )
    return csv_response(f"campaign-{campaign_id}-history", header, rows)


@blueprint.get("/<int:campaign_id>/edit")
@staff(*presenting.EDITORS)
def edit(campaign_id: int) -> ResponseReturnValue:
    """The form with what is stored; the always-on campaign has one of its own."""
    campaign = _campaign(campaign_id)
    if campaign.is_always_on:
        return redirect(url_for("always_on.show"))
    stored = _stored(campaign)
    return _form(CampaignForm(formdata=None, data=stored), campaign)


@blueprint.post("/<int:campaign_id>/edit")
@staff(*presenting.EDITORS)
def change(campaign_id: int) -> ResponseReturnValue:
    """Write over it, or show both versions if somebody else has."""
    campaign = _campaign(campaign_id)
    campaigns.refuse_always_on(campaign)
    return _write(campaign)


@blueprint.get("/<int:campaign_id>/dry-run")
@staff()
def dry(campaign_id: int) -> str:
    """What a start would do now."""
    campaign = _campaign(campaign_id)
    run, reward = dry_run(db.session, campaign), services.reward_of(db.session, campaign)
    return render_template(
        "campaigns/dry_run.html",
        campaign=campaign,
        run=run,
        rules=RULES,
        waits=WAITS,
        ways=ways(),
        rule=reward and rules.in_words(reward.rule),
        friends=friends_dry_run(db.session, campaign),
        friends_when=friends.WHEN,
        acts=presenting.acts_of(campaign),
        texts=reward and texting.texts(g.brand, campaign, reward, run),
    )


@blueprint.get("/<int:campaign_id>/dry-run.csv")
@staff()
def dry_csv(campaign_id: int) -> Response:
    """Everybody whom a start would choose now, and by which rule somebody gets nothing."""
    header = [_("Rank"), _("Name"), _("Score"), _("By"), _("Language"), _("Rule")]
    rows = (
        (one.rank, one.name, round(one.score, 3), None if one.rule else one.channel, one.locale, one.rule)
        for one in people(db.session, _campaign(campaign_id))
    )
    return csv_response(f"campaign-{campaign_id}-dry-run", header, rows)


@blueprint.get("/audience")
@staff()
def audience() -> str:
    """How many an audience would choose now: a fragment for the form."""
    return render_template("campaigns/_count.html", count=_count(CampaignForm(request.args)))


@blueprint.get("/starts")
@staff()
def starts() -> str:
    """The next starts that times and a rule mean: a fragment for the form."""
    return render_template("campaigns/_starts.html", starts=repeat_form.next_starts(CampaignForm(request.args)))


@blueprint.post("/<int:campaign_id>/copies")
@staff(*presenting.EDITORS)
def clone(campaign_id: int) -> ResponseReturnValue:
    """A new draft that is like this one."""
    made = writing.clone(db.session, _campaign(campaign_id), g.actor)
    db.session.commit()
    flash(_("This is the copy. Say when it starts, then schedule it."), "success")
    return redirect(url_for("campaigns.edit", campaign_id=made.id), 303)


@blueprint.post("/<int:campaign_id>/<any(schedule, start, draft, pause, resumption, end, stop):noun>")
@staff(*presenting.EDITORS)
def move(campaign_id: int, noun: str) -> ResponseReturnValue:
    """Say a verb; a refusal is told on the campaign's page."""
    try:
        campaign = _campaign(campaign_id)
        if noun in ("schedule", "start"):
            verb = campaigns.schedule if noun == "schedule" else campaigns.start_now
            verb(db.session, campaign, clock.now(), g.actor)
        else:
            VERBS[noun](db.session, campaign, g.actor)
        db.session.commit()
        flash(str(DONE[noun]), "success")
    except AmplifyError as refused:
        if refused.status == 404:
            raise
        db.session.rollback()
        flash(str(refused.message), "error")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id))


def _campaign(campaign_id: int) -> Campaign:
    return campaign_queries.get(db.session, g.brand.id, campaign_id)


def _write(campaign: Campaign | None) -> ResponseReturnValue:
    """Create or change from the posted form; every refusal comes back in the form, with all that was typed."""
    form = CampaignForm().offer(db.session, g.brand)
    if "count" in request.form:  # the button for people without JavaScript
        return _form(form, campaign, count=_count(form))
    if "starts" in request.form:
        return _form(form, campaign, starts=repeat_form.next_starts(form))
    if not form.validate():
        return _form(form, campaign), 422
    try:
        written = _save(form, campaign)
        db.session.commit()
    except AmplifyError as refused:
        db.session.rollback()
        if campaign is not None and isinstance(refused, Conflict) and refused.rule == "version":
            return _conflict(form, campaign.id), 409
        forms.show(form, refused)
        return _form(form, campaign), refused.status
    flash(_("Saved."), "success")
    return redirect(url_for("campaigns.show", campaign_id=written.id))


def _save(form: CampaignForm, campaign: Campaign | None) -> Campaign:
    data, gifts = form.campaign_in(), writing.Gifts(form.reward_in(g.brand), form.friend_in(g.brand))
    if campaign is None:
        return writing.create(db.session, g.brand, data, gifts, g.actor)
    seen = int(version) if (version := form.version.data or "").isdecimal() else 0
    return writing.edit(db.session, campaign, data, gifts, g.actor, seen)


def _conflict(form: CampaignForm, campaign_id: int) -> str:
    """Both versions: what was typed stays in the form, what is stored stands beside it."""
    campaign = _campaign(campaign_id)
    stored = _stored(campaign)
    form.version.data = str(campaign.version)
    differing = [
        (field.label.text, stored.get(field.name) or "", field.data or "")
        for field in form
        if field.name not in ("version", "csrf_token") and str(stored.get(field.name) or "") != str(field.data or "")
    ]
    return _form(form, campaign, differing=differing)


def _stored(campaign: Campaign) -> dict[str, Any]:
    """The campaign as the form's values."""
    return forms.values_of(campaign, services.reward_of(db.session, campaign), friends.of(db.session, campaign))


def _form(form: CampaignForm, campaign: Campaign | None, **more: Any) -> str:
    if form.location_id.choices is None:
        form.offer(db.session, g.brand)
    return render_template("campaigns/form.html", form=form, campaign=campaign, **more)


def _count(form: CampaignForm) -> audience_form.Counted | None:
    """Whom this audience would choose; None while the fields make no audience."""
    try:
        return audience_form.count(db.session, g.brand, form)
    except (TypeError, ValueError, AmplifyError):
        return None
