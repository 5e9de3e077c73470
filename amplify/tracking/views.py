"""The short link: the one address that friends, networks and machines ask for."""

import logging
from datetime import datetime

from flask import Blueprint, Response, g, redirect, render_template, request
from sqlalchemy.exc import SQLAlchemyError

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.db import db, reading
from amplify.core.errors import Gone, NotFound
from amplify.core.i18n import force_locale
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import public
from amplify.core.web import amplify
from amplify.sharing.tokens import ME_COOKIE, ME_PURPOSE, read_me
from amplify.tracking import services
from amplify.tracking.previews import preview_of
from amplify.tracking.recorder import LOST, STORED
from amplify.tracking.redirect import HEADERS, Answer, Hit, Target, country_of, decide, read_hit, with_click

log = logging.getLogger(__name__)
blueprint = Blueprint("tracking", __name__)


@blueprint.get("/s/<code>")
@public(writes=True, limited=False)
def follow(code: str) -> Response:
    """A tracked link: people go on to its target, machines get its card; the click is on disk before either leaves."""
    now = clock.now()
    with reading():  # a link must be found also when nothing can be written
        target = services.find_target(db.session, code)
        db.session.commit()
    hit = _hit(target)
    answer = decide(hit, target, now)
    target = in_use(target, answer)
    address = with_click(answer.url, _record(target, hit, now))
    response = _preview(target, address) if answer.kind == "preview" else _way_on(address)
    response.headers.update(HEADERS)
    return response


def in_use(target: Target | None, answer: Answer) -> Target:
    """The target of a link that leads on. Raises NotFound (no such code), Gone (stopped, expired, host taken off)."""
    if target is None:
        raise NotFound(_l("This link leads nowhere. Perhaps a part of it was not copied."), rule="link-unknown")
    if not answer.records:
        g.brand = db.session.get(Brand, target.brand_id)
        raise Gone(_l("This link is not in use any more."), rule="link-ended")
    return target


def _hit(target: Target | None) -> Hit:
    me = read_me(amplify().signer(ME_PURPOSE), request.cookies.get(ME_COOKIE))
    is_own = target is not None and me == target.advocate_id
    return read_hit(request.method, request.headers.get, is_own=is_own)


def _record(target: Target, hit: Hit, now: datetime) -> str | None:
    """The stored click's token. None if it could not be stored: the person goes on, and nothing claims a click."""
    settings, address = amplify().settings, request.remote_addr or ""
    country = country_of(request.headers.get(settings.country_header)) if settings.country_header else ""
    try:
        click = services.record_click(
            db.session, target.link_id, hit, address=address, secret=settings.secret, at=now, country=country
        )
        db.session.commit()
    except SQLAlchemyError:
        LOST.inc()
        log.exception("a click on link %s was not stored", target.link_id)
        db.session.rollback()
        return None
    STORED.inc()
    return str(click.token)


def _way_on(address: str) -> Response:
    response = redirect(address, 302)
    assert isinstance(response, Response)  # noqa: S101  werkzeug's type is wider than what Flask makes
    return response


def _preview(target: Target, address: str) -> Response:
    """The card's page in the link's own language: the machine that reads it shows it to the link's readers."""
    preview = preview_of(db.session, target.link_id)
    g.brand = preview.brand
    with force_locale(preview.locale):
        page = render_template(
            "tracking/preview.html", preview=preview, address=address, base_url=amplify().settings.base_url
        )
    return Response(page, mimetype="text/html")
