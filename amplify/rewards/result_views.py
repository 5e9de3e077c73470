"""The console's pages about what is given: codes, results and why, the test mail, and redeeming at the counter."""

import io
from itertools import islice

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from amplify.campaigns import queries as campaign_queries
from amplify.campaigns.models import Campaign
from amplify.core import nav
from amplify.core.db import db
from amplify.core.errors import AmplifyError, Conflict, Invalid
from amplify.core.i18n import best_language, ngettext
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.delivery.services import queue_message
from amplify.rewards import mail, queries, retrying, rules, services
from amplify.rewards.eligibility import RULES
from amplify.rewards.models import ADVOCATE, FRIEND
from amplify.rewards.presenting import EDITORS, context, start_asked, when
from amplify.rewards.redeeming import redeem_codes
from amplify.rewards.uploading import upload_codes

blueprint = Blueprint("rewards", __name__, url_prefix="/console")
nav.add("rewards.redemptions", _l("Redeem a code"), "ticket", order=35, roles=EDITORS)

blueprint.context_processor(context)

PAGE = 50


@blueprint.post("/campaigns/<int:campaign_id>/codes")
@staff(*EDITORS, large_body=True)
def codes(campaign_id: int) -> ResponseReturnValue:
    """Fill a side's pool from a file, or from what was pasted; committed in pieces, and safe to repeat."""
    campaign = _campaign(campaign_id)
    side = FRIEND if request.form.get("side") == FRIEND else ADVOCATE
    reward = services.reward_of(db.session, campaign, side)
    if reward is None:
        raise Conflict(_l("This campaign gives nothing yet."), field="type", rule="no-reward")
    done = upload_codes(db.session, reward, _lines(), after_batch=db.session.commit)
    db.session.commit()
    return render_template("rewards/uploaded.html", campaign=campaign, done=done)


@blueprint.post("/campaigns/<int:campaign_id>/test-push")
@staff(*EDITORS)
def test_push(campaign_id: int) -> ResponseReturnValue:
    """The reward mail to oneself, with a code that no shop takes."""
    campaign = _campaign(campaign_id)
    reward = services.reward_of(db.session, campaign)
    if reward is None:
        raise Conflict(_l("This campaign gives nothing yet."), field="type", rule="no-reward")
    facts, locale = (
        mail.Facts(g.brand, campaign, reward, 100),
        best_language(request.form.get("locale"), current_user.locale),
    )
    queue_message(
        db.session,
        g.brand,
        template=mail.TEMPLATE,
        address=current_user.email,
        locale=locale,
        context=facts.test(locale),
        is_marketing=False,
    )
    db.session.commit()
    flash(_("A test is on its way to %(address)s.", address=current_user.email), "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign.id))


@blueprint.get("/campaigns/<int:campaign_id>/results")
@staff()
def results(campaign_id: int) -> str:
    """Who got it and who did not, with the reason; and the same for one person."""
    campaign = _campaign(campaign_id)
    page = max(1, request.args.get("page", 1, type=int))
    who = request.args.get("who", "").strip()
    starts = queries.snapshots(db.session, campaign)
    start = start_asked(starts, None)
    found = queries.results(db.session, campaign, start)
    return render_template(
        "rewards/results.html",
        campaign=campaign,
        results=found,
        starts=starts,
        start=start,
        opens=queries.opens(db.session, campaign, start) if g.brand.counts_opens else None,
        failures=retrying.failures(db.session, campaign),
        lines=list(queries.lines(db.session, campaign, PAGE, min(page - 1, 10**6) * PAGE, start)),
        page=page,
        pages=max(1, -(-found.chosen // PAGE)),
        rules=RULES,
        who=who,
        why=queries.why(db.session, campaign, who) if who else None,
        when=when,
        rule=found.reward and rules.in_words(found.reward.rule),
        amount=rules.amount_in_words,
    )


@blueprint.get("/campaigns/<int:campaign_id>/results.csv")
@staff()
def results_csv(campaign_id: int) -> Response:
    """The same as a file: one row per chosen person."""
    campaign = _campaign(campaign_id)
    start = start_asked(queries.snapshots(db.session, campaign), None)
    header = [
        _("Start"), _("Rank"), _("Name"), _("State"), _("Reason"), _("Language"), _("Amount in minor units"),
        _("Currency"), _("Sent"), _("Redeemed"), _("Step"),
    ]  # fmt: skip
    rows = (
        (line.occurrence, line.rank, line.name, line.state, line.reason, line.locale, line.amount_minor,
         g.brand.currency, line.sent_at and line.sent_at.isoformat(), line.redeemed_at and line.redeemed_at.isoformat(),
         line.step or None)
        for line in queries.lines(db.session, campaign, number=start)
    )  # fmt: skip
    named = f"-start-{start}" if start else ""
    return csv_response(f"campaign-{campaign.id}-results{named}", header, rows)


@blueprint.post("/campaigns/<int:campaign_id>/retries")
@staff(*EDITORS)
def retry(campaign_id: int) -> ResponseReturnValue:
    """Try the failed ones again; a refusal is told on the results page."""
    campaign = _campaign(campaign_id)
    try:
        count = retrying.try_again(db.session, campaign, g.actor)
        db.session.commit()
        flash(ngettext("%(n)s reward is sent again.", "%(n)s rewards are sent again.", count, n=count), "success")
    except Conflict as refused:
        db.session.rollback()
        flash(str(refused.message), "error")
    return redirect(url_for("rewards.results", campaign_id=campaign_id), 303)


@blueprint.get("/redemptions")
@staff(*EDITORS)
def redemptions() -> str:
    """A field for a code, at the counter."""
    return render_template("rewards/redeem.html", code="", push=None, refused=None)


@blueprint.post("/redemptions")
@staff(*EDITORS)
def redeem() -> ResponseReturnValue:
    """Redeem a code; asking again changes nothing and says when it was."""
    code = request.form.get("code", "")
    try:
        push, is_new = services.redeem(db.session, g.brand.id, code, g.actor)
        db.session.commit()
    except AmplifyError as refused:
        db.session.rollback()
        return render_template("rewards/redeem.html", code=code, push=None, refused=refused), refused.status
    return render_template("rewards/redeem.html", code=code, push=push, is_new=is_new, refused=None)


@blueprint.post("/redemptions/revocation")
@staff(*EDITORS)
def revoke() -> ResponseReturnValue:
    """Take a code back that was given."""
    try:
        services.revoke(db.session, g.brand.id, request.form.get("code", ""), g.actor)
        db.session.commit()
    except AmplifyError as refused:
        db.session.rollback()
        return render_template("rewards/redeem.html", code="", push=None, refused=refused), refused.status
    flash(_("The code is taken back: nobody can use it any more."), "success")
    return redirect(url_for(".redemptions"), 303)


@blueprint.post("/redemptions/file")
@staff(*EDITORS, large_body=True)
def redeem_file() -> ResponseReturnValue:
    """Redeem every code of a file; committed in pieces, and safe to repeat."""
    done = redeem_codes(db.session, g.brand.id, _lines(), g.actor, after_batch=db.session.commit)
    db.session.commit()
    return render_template("rewards/redeemed.html", done=done)


def _campaign(campaign_id: int) -> Campaign:
    return campaign_queries.get(db.session, g.brand.id, campaign_id)


def _lines() -> io.TextIOWrapper | list[str]:
    """The uploaded file as lines of text, read as it is needed; else what was pasted."""
    upload = request.files.get("file")
    if upload is not None and upload.filename:
        return io.TextIOWrapper(upload.stream, encoding="utf-8-sig", newline="")
    pasted = request.form.get("codes", "").splitlines()
    if not any(line.strip() for line in islice(pasted, 1000)):
        raise Invalid("file", "required", _l("Choose a file with codes, or paste some."))
    return pasted
