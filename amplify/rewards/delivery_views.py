"""The console's page of the last deliveries: what left, what did not and why, and trying again what failed for good."""

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from amplify.core import nav
from amplify.core.db import db
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.i18n import ngettext
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.delivery import queries
from amplify.delivery.channel import ways
from amplify.rewards import retrying
from amplify.rewards.presenting import EDITORS, context

blueprint = Blueprint("deliveries", __name__, url_prefix="/console/deliveries")
nav.add("deliveries.index", _l("Deliveries"), "send", order=38, roles=EDITORS)
blueprint.context_processor(context)

PAGE = 50
# What is not in the words of the other side: our own rules, as a sentence.
WHY = {
    "quiet-hours": _l("Waits for the end of the quiet hours."),
    "frequency-cap": _l("Waits: the person was written to often enough."),
    "throttle": _l("Waits for its turn: so many a minute."),
    "unwanted": _l("The person does not want this way."),
    "suppressed": _l("The mailbox is not written to any more."),
    "no-consent": _l("They did not agree to be written to."),
    "erased": _l("The person was erased."),
}


@blueprint.get("")
@staff(*EDITORS)
def index() -> str:
    """The newest first; of one state, if it is asked for."""
    state, page = request.args.get("state", ""), max(1, request.args.get("page", 1, type=int))
    counts = queries.count_by_state(db.session, g.brand.id)
    count = counts[state] if state in queries.STATES else counts.total()
    return render_template(
        "rewards/deliveries.html",
        messages=queries.last(db.session, g.brand.id, state, PAGE, min(page - 1, 10**6) * PAGE),
        counts=counts,
        states=[name for name in queries.STATES if counts[name]],
        state=state,
        ways=ways(),
        why=WHY,
        count=count,
        page=page,
        pages=max(1, -(-count // PAGE)),
    )


@blueprint.get("/all.csv")
@staff(*EDITORS)
def as_csv() -> Response:
    """The same as a file, all of them."""
    rows = queries.rows(db.session, g.brand.id, request.args.get("state", ""))
    return csv_response("deliveries", queries.DELIVERY_COLUMNS, rows)


@blueprint.post("/retry")
@staff(*EDITORS)
def retry() -> ResponseReturnValue:
    """Send the chosen ones once more: the same words, code and Message-ID."""
    ids = [int(text) for text in request.form.getlist("message") if text.isdecimal() and len(text) < 19]
    count = retrying.try_messages_again(db.session, g.brand.id, ids, g.actor)
    db.session.commit()
    said = ngettext("%(num)s message is tried again.", "%(num)s messages are tried again.", count)
    flash(str(said), "success" if count else "info")
    return redirect(url_for(".index", state="failed"), 303)
