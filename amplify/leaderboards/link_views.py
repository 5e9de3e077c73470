"""The console's page about links to boards: make one, see which there are and when each was last used, end one."""

from flask import Blueprint, Response, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from amplify.accounts.forms import refuse
from amplify.core import clock
from amplify.core.db import db
from amplify.core.errors import AmplifyError
from amplify.core.i18n import gettext as _
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import staff
from amplify.core.sheets import csv_response
from amplify.core.web import amplify
from amplify.leaderboards import board_links
from amplify.leaderboards.board_choices import choices, label_of
from amplify.leaderboards.link_forms import LinkForm
from amplify.leaderboards.models import BoardLink

blueprint = Blueprint("board_links", __name__, url_prefix="/console/leaderboard")
EDITORS = ("admin", "marketer")


@blueprint.get("/links")
@staff(*EDITORS)
def listing() -> str:
    """Every link, and the form for a new one."""
    return _page(LinkForm(formdata=None))


def _page(form: LinkForm, address: str = "") -> str:
    links = board_links.links_of(db.session, g.brand.id)
    boards = choices(db.session, g.brand.id)
    return render_template(
        "leaderboards/links.html",
        links=[(link, label_of(link.board, boards), link.is_open(clock.now())) for link in links],
        form=form.offer(boards),
        address=address,
        origins=g.brand.frame_origins,
    )


@blueprint.post("/links")
@staff(*EDITORS)
def make() -> ResponseReturnValue:
    """A new link; its address is shown once."""
    form = LinkForm().offer(choices(db.session, g.brand.id))
    if not form.validate():
        return _page(form), 422
    try:
        _link, secret = board_links.make_link(db.session, g.brand, **form.values(), actor=g.actor)
    except AmplifyError as refused:
        refuse(form, refused)
        return _page(form), refused.status
    db.session.commit()
    address = amplify().settings.base_url + url_for("shared_board.page", secret=secret)
    return _page(LinkForm(formdata=None), address)


@blueprint.post("/links/<int:link_id>/revoke")
@staff(*EDITORS)
def revoke(link_id: int) -> ResponseReturnValue:
    """End a link."""
    board_links.revoke(db.session, g.brand.id, link_id, g.actor)
    db.session.commit()
    flash(_("The link is revoked."), "success")
    return redirect(url_for(".listing"), 303)


@blueprint.get("/links.csv")
@staff(*EDITORS)
def export() -> Response:
    """The same list for a spreadsheet."""
    header = (_l("Heading"), _l("Board"), _l("Lines"), _l("Password"), _l("Made"), _l("Ends"), _l("Last used"))
    boards = choices(db.session, g.brand.id)
    links = board_links.links_of(db.session, g.brand.id)
    rows = (_cells(link, label_of(link.board, boards)) for link in links)
    return csv_response("board-links", (*header, _l("State")), rows)


def _cells(link: BoardLink, label: str) -> tuple[object, ...]:
    used = link.last_used_at.isoformat() if link.last_used_at else ""
    state = _("Open") if link.is_open(clock.now()) else _("Ended")
    has_password = _("yes") if link.password_hash else _("no")
    times = (link.created_at.isoformat(), link.expires_at.isoformat(), used)
    return (link.name, label, link.shown, has_password, *times, state)
