"""The console's pages about giving: accounts with providers, approvals by two people, and tasks for staff."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from amplify.campaigns import queries as campaign_queries
from amplify.core import nav
from amplify.core.db import db
from amplify.core.errors import Conflict, Invalid
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.i18n import ngettext
from amplify.core.outgoing import Client
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.core.web import amplify
from amplify.rewards import accounts, approving, retrying, tasks
from amplify.rewards.amounts import from_minor, to_minor
from amplify.rewards.presenting import EDITORS, context

blueprint = Blueprint("giving", __name__, url_prefix="/console")
nav.add("giving.tasks_page", _l("Tasks"), "clipboard-list", order=36, roles=EDITORS)
nav.add("giving.approvals", _l("Approvals"), "shield-check", order=37, roles=EDITORS)
nav.add("giving.providers", _l("Reward providers"), "plug", order=85, roles=("admin",))

blueprint.context_processor(context)

PAGE = 50


@blueprint.get("/providers")
@staff("admin")
def providers() -> str:
    """The brand's accounts with providers, and above which worth a reward waits for two people."""
    return _providers()


def _providers(refused: Invalid | None = None, at: str = "") -> str:
    limit = approving.limit_of(db.session, g.brand.id)
    return render_template(
        "rewards/providers.html",
        providers=[(one, accounts.find(db.session, g.brand.id, one.name)) for one in accounts.providers().values()],
        limit=request.form.get("limit", "") if at == "limit" else from_minor(limit, g.brand.currency),
        refused=refused,
        at=at,
    )


@blueprint.post("/providers/<provider>")
@staff("admin")
def give_account(provider: str) -> ResponseReturnValue:
    """Store the account with this provider, all of it; its keys are shown never again."""
    chosen = accounts.provider_of(provider)
    client = Client.of(amplify().settings)
    try:
        accounts.write(db.session, client, g.brand.id, chosen, request.form.get("address", ""), request.form, g.actor)
    except Invalid as refused:
        db.session.rollback()
        return _providers(refused, provider), refused.status
    db.session.commit()
    flash(_("The account with %(provider)s is stored.", provider=chosen.label), "success")
    return redirect(url_for(".providers"), 303)


@blueprint.post("/providers/<provider>/removal")
@staff("admin")
def remove_account(provider: str) -> ResponseReturnValue:
    """Forget the account and its keys."""
    chosen = accounts.provider_of(provider)
    accounts.remove(db.session, g.brand.id, chosen.name, g.actor)
    db.session.commit()
    flash(_("The account with %(provider)s is removed.", provider=chosen.label), "success")
    return redirect(url_for(".providers"), 303)


@blueprint.post("/reward-limit")
@staff("admin")
def change_limit() -> ResponseReturnValue:
    """From which worth on two people must agree; empty: never."""
    text = request.form.get("limit", "").strip()
    try:
        limit = to_minor("limit", text, g.brand.currency) if text else None
        approving.set_limit(db.session, g.brand.id, limit, g.actor)
    except Invalid as refused:
        db.session.rollback()
        return _providers(refused, "limit"), refused.status
    db.session.commit()
    flash(_("Saved."), "success")
    return redirect(url_for(".providers"), 303)


@blueprint.get("/approvals")
@staff(*EDITORS)
def approvals() -> str:
    """The rewards that wait for two people."""
    page = max(1, request.args.get("page", 1, type=int))
    count = approving.count_waiting(db.session, g.brand.id)
    return render_template(
        "rewards/approvals.html",
        waiting=approving.waiting(db.session, g.brand.id, PAGE, min(page - 1, 10**6) * PAGE),
        count=count,
        page=page,
        pages=max(1, -(-count // PAGE)),
        actor=g.actor,
    )


@blueprint.post("/approvals")
@staff(*EDITORS)
def decide() -> ResponseReturnValue:
    """Agree to the chosen ones, or refuse them."""
    ids = [int(text) for text in request.form.getlist("push") if text.isdecimal() and len(text) < 19]
    if request.form.get("act") == "refuse":
        count = approving.refuse(db.session, g.brand.id, ids, g.actor)
        said = ngettext("%(n)s reward is refused.", "%(n)s rewards are refused.", count, n=count)
    else:
        said = _told(approving.approve(db.session, g.brand.id, ids, g.actor))
    db.session.commit()
    flash(said, "success")
    return redirect(url_for(".approvals"), 303)


def _told(done: approving.Approved) -> str:
    said = [
        ngettext(
            "%(n)s reward is approved and leaves.", "%(n)s rewards are approved and leave.", done.second, n=done.second
        )
    ]
    if done.first:
        said.append(
            ngettext(
                "%(n)s now waits for a second person.", "%(n)s now wait for a second person.", done.first, n=done.first
            )
        )
    if done.own:
        said.append(_("Where you agreed before, somebody else has to."))
    return " ".join(str(one) for one in said)


@blueprint.get("/tasks")
@staff(*EDITORS)
def tasks_page() -> str:
    """What is to be handed over, donated or unlocked."""
    page = max(1, request.args.get("page", 1, type=int))
    count = tasks.count_open(db.session, g.brand.id)
    found = list(tasks.open_tasks(db.session, g.brand.id, PAGE, min(page - 1, 10**6) * PAGE))
    return render_template("rewards/tasks.html", tasks=found, count=count, page=page, pages=max(1, -(-count // PAGE)))


@blueprint.get("/tasks.csv")
@staff(*EDITORS)
def tasks_csv() -> Response:
    """The same as a file."""
    header = [
        _("Number"), _("What"), _("Name"), _("E-mail address"), _("Amount in minor units"), _("Currency"),
        _("Campaign"), _("Told"),
    ]  # fmt: skip
    return csv_response("tasks", header, _task_rows())


def _task_rows() -> Iterator[tuple[Any, ...]]:
    for task in tasks.open_tasks(db.session, g.brand.id):
        told = task.push.sent_at and task.push.sent_at.isoformat()
        money = task.push.amount_minor, task.push.currency
        yield (task.push.id, task.what, task.name, task.email, *money, task.campaign.name, told)


@blueprint.post("/tasks/<int:push_id>/completion")
@staff(*EDITORS)
def finish(push_id: int) -> ResponseReturnValue:
    """It is done."""
    try:
        tasks.finish(db.session, g.brand.id, push_id, g.actor)
        db.session.commit()
        flash(_("Done."), "success")
    except Conflict as refused:
        db.session.rollback()
        flash(str(refused.message), "error")
    return redirect(url_for(".tasks_page"), 303)


@blueprint.post("/campaigns/<int:campaign_id>/continuation")
@staff(*EDITORS)
def go_on(campaign_id: int) -> ResponseReturnValue:
    """The provider was seen to: what waits is ordered again."""
    campaign = campaign_queries.get(db.session, g.brand.id, campaign_id)
    retrying.go_on(db.session, campaign)
    db.session.commit()
    flash(_("The rewards that waited are ordered again."), "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign.id), 303)
