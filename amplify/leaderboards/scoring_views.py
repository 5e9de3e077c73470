"""How points count: weights, half-life and the rule for equal points, with a preview before anything changes."""

import hashlib
import json
from decimal import Decimal
from functools import partial
from typing import Any

import sqlalchemy as sa
from apiflask import APIBlueprint
from flask import flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import DecimalField, HiddenField, RadioField, SelectChoice
from wtforms.validators import InputRequired

from amplify.accounts import audit
from amplify.accounts.forms import number_field, refuse
from amplify.brands.models import Brand
from amplify.brands.policy import MAX_POINTS, RANGES, change_policy
from amplify.core.db import db
from amplify.core.errors import Conflict, Invalid
from amplify.core.forms import Form
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.leaderboards.making import progress
from amplify.leaderboards.preview import Preview, preview
from amplify.leaderboards.scoring import Rules, in_force, wished
from amplify.leaderboards.wording import TIES

blueprint = APIBlueprint("scoring", __name__, url_prefix="/console/leaderboard/scoring", enable_openapi=False)

CAUSES = ("human_click", "conversion", "share_confirmed")
MILLI = 1000
# Not rounded to two places: what is shown is what is stored again.
Exactly = partial(DecimalField, places=None)


class ScoringForm(Form):
    """The rules a board is made by, and which rules they were when the form was filled in."""

    human_click = number_field(_l("Points for a visit by a person"), 0, MAX_POINTS, Exactly)
    conversion = number_field(_l("Points for a purchase"), 0, MAX_POINTS, Exactly)
    share_confirmed = number_field(
        _l("Points for a confirmed share"), 0, MAX_POINTS, Exactly,
        hint=_l("Recognition only: it never counts towards a reward."),
    )  # fmt: skip
    half_life_days = number_field(
        _l("Half-life in days"), *RANGES["half_life_days"], kind=Exactly,
        hint=_l("After so many days, points weigh half as much."),
    )  # fmt: skip
    tie_rule = RadioField(
        _l("Who stands first of equals"),
        [InputRequired()],
        choices=[SelectChoice(rule, words) for rule, words in TIES.items()],
    )
    version = HiddenField()
    seen = HiddenField()

    def changes(self) -> dict[str, Any]:
        """The brand's columns as the form wants them."""
        data = self.data
        weights = {cause: int(data[cause] * MILLI) for cause in CAUSES}
        return {"weights": weights, "half_life_days": float(data["half_life_days"]), "tie_rule": data["tie_rule"]}


@blueprint.get("")
@staff("admin")
def edit() -> str:
    """The rules as the brand wishes them, and whether the boards follow them yet."""
    return _page(ScoringForm(data=_as_form(g.brand)))


@blueprint.post("/preview")
@staff("admin")
def look() -> ResponseReturnValue:
    """Who would move. Nothing is stored."""
    form = ScoringForm()
    if not form.validate():
        return _page(form), 422
    form.seen.data = fingerprint(form.changes())
    try:
        then = Rules(**form.changes())
        return _page(form, preview(db.session, g.brand.id, in_force(db.session, g.brand.id), then))
    except Invalid as refused:
        refuse(form, refused)
        return _page(form), 422


@blueprint.post("")
@staff("admin")
def store() -> ResponseReturnValue:
    """Store what was looked at (else look first); the worker makes the boards again. Refused if somebody was faster."""
    form = ScoringForm()
    if not form.validate() or form.seen.data != fingerprint(form.changes()):
        return look()
    brand = db.session.scalars(
        sa.select(Brand).where(Brand.id == g.brand.id).with_for_update().execution_options(populate_existing=True)
    ).one()
    if form.version.data != version_of(brand):
        raise Conflict(
            _l("Somebody else changed these rules meanwhile. Look at them again first."),
            field="version",
            rule="version",
        )
    changed = change_policy(db.session, brand, form.changes())
    if changed:
        detail = {name: {"before": before, "after": after} for name, (before, after) in changed.items()}
        audit.record(db.session, brand.id, g.actor, "brand.policy-changed", "brand", brand.slug, detail)
    db.session.commit()
    flash(_("The rules are saved."), "success")
    return redirect(url_for(".edit"), 303)


def version_of(brand: Brand) -> str:
    """A short name of the rules as the brand has them now."""
    return fingerprint(wished(brand)._asdict())


def fingerprint(rules: dict[str, Any]) -> str:
    """A short name of rules."""
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:16]


def _as_form(brand: Brand) -> dict[str, Any]:
    points = {cause: Decimal(int(brand.weights.get(cause, 0))) / MILLI for cause in CAUSES}
    return {**points, "half_life_days": brand.half_life_days, "tie_rule": brand.tie_rule, "version": version_of(brand)}


def _page(form: ScoringForm, seen: Preview | None = None) -> str:
    return render_template(
        "leaderboards/scoring.html",
        form=form,
        seen=seen,
        is_current=in_force(db.session, g.brand.id) == wished(g.brand),
        making=progress(db.session, g.brand.id),
    )
