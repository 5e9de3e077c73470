"""The share page and what people do on it. The address carries their signed token: no account, no cookie needed."""

from io import BytesIO
from typing import Any

import segno
import sqlalchemy as sa
from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from amplify.brands.models import Brand
from amplify.brands.services import brand_by_slug
from amplify.core import events
from amplify.core.boundary import parse, read_json
from amplify.core.db import db
from amplify.core.errors import Conflict, Invalid, NotFound
from amplify.core.headers import forms_may_lead_to
from amplify.core.i18n import best_language, get_locale
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import public
from amplify.core.web import amplify
from amplify.sharing import notifying, page, services
from amplify.sharing.channel import Channel, Draft, channel_named
from amplify.sharing.events import SharePageShown
from amplify.sharing.models import ShareLink
from amplify.sharing.opening import open_channel
from amplify.sharing.tokens import ME_COOKIE, ME_PURPOSE, PURPOSE, Visit, me_token, read_token
from amplify.sharing.wording import clean

blueprint = Blueprint("sharing", __name__)

# Browsers check where a form leads even behind a redirect: composers, the mail program, the phone's messages.
LEADS_TO = ("https:", "mailto:", "sms:")
ME_DAYS = 90
LONGEST_NAME = 40


def _visit(token: str) -> Visit:
    """Who comes; the brand and their language are set for the page."""
    installation = amplify()
    days = installation.settings.ask_link_days
    visit = read_token(db.session, installation.signer(PURPOSE), token, max_age_days=days)
    g.brand = db.session.get_one(Brand, visit.advocate.brand_id)
    customer, response = visit.advocate.customer, visit.response
    if not request.cookies.get("lang"):
        g.language = (customer and customer.locale) or (response and response.locale) or None
    return visit


def _locale() -> str:
    return best_language(str(get_locale()))


def _page(visit: Visit, token: str, **changes: Any) -> page.SharePage:
    return page.build(db.session, visit, g.brand, token, _locale(), base_url=amplify().settings.base_url, **changes)


def _shown(shown: page.SharePage, status: int = 200) -> Response:
    key = notifying.public_key(amplify().settings)
    response = make_response(render_template("sharing/page.html", page=shown, push_key=key), status)
    response.headers["Cache-Control"] = "private, no-store"
    response.set_cookie(
        ME_COOKIE,
        me_token(amplify().signer(ME_PURPOSE), shown.advocate),
        max_age=ME_DAYS * 86_400,
        secure=amplify().settings.base_url.startswith("https://"),
        httponly=True,
        samesite="Lax",
    )
    return response


@blueprint.get("/share/<token>")
@public(writes=True)
@forms_may_lead_to(*LEADS_TO)
def share(token: str) -> ResponseReturnValue:
    """The share page."""
    visit = _visit(token)
    shown = _page(visit, token)
    if request.method == "GET":
        events.publish(db.session, SharePageShown(visit.advocate, visit.response.id if visit.response else None))
    db.session.commit()
    return _shown(shown)


@blueprint.post("/share/<token>/open/<name>")
@public(csrf=False, limited=False)  # the token in the address is what nobody else can know
@forms_may_lead_to(*LEADS_TO)
def open_named(token: str, name: str) -> ResponseReturnValue:
    """One tap on a channel."""
    visit, channel, words = _visit(token), channel_named(name), request.form.get("words", "")
    answers = {key: request.form[key].strip() for key in _asked(channel) if key in request.form}
    try:
        address = open_channel(
            db.session,
            visit,
            g.brand,
            channel,
            words=words,
            answers=answers,
            locale=_locale(),
            base_url=amplify().settings.base_url,
        )
    except (Invalid, Conflict) as problem:
        db.session.rollback()
        shown = _page(visit, token, words=clean(words))
        shown.problem, shown.answers = problem, answers
        db.session.commit()
        return _shown(shown, problem.status)
    db.session.commit()
    return redirect(address or f"/share/{token}/link/{channel.name}", 303)


def _asked(channel: Channel) -> tuple[str, ...]:
    return (channel.question[0],) if channel.question else ()


@blueprint.get("/share/<token>/link/<name>")
@public()
def link(token: str, name: str) -> ResponseReturnValue:
    """The link itself, to copy or to show as a QR code."""
    visit, channel = _visit(token), channel_named(name)
    own = sa.select(ShareLink).where(
        ShareLink.advocate_id == visit.advocate.id,
        ShareLink.campaign_id == visit.campaign.id,
        ShareLink.channel == channel.name,
    )
    found = db.session.scalar(own)
    if found is None:
        return redirect(f"/share/{token}", 303)
    url = f"{amplify().settings.base_url}/s/{found.code}"
    draft = Draft(words="", url=url, disclosure=page.opening_of(db.session, visit.campaign, g.brand, _locale()))
    return render_template("sharing/link.html", token=token, channel=channel, link=found, url=url, draft=draft)


@blueprint.get("/share/<token>/qr/<code>.svg")
@public()
def qr(token: str, code: str) -> ResponseReturnValue:
    """The QR code of one of the person's own links."""
    visit = _visit(token)
    own = sa.select(ShareLink).where(ShareLink.advocate_id == visit.advocate.id, ShareLink.code == code)
    if db.session.scalar(own) is None:
        raise NotFound(_l("This link is not valid."), rule="link-unknown")
    picture = BytesIO()
    segno.make(f"{amplify().settings.base_url}/s/{code}", error="m", micro=False).save(
        picture, kind="svg", scale=8, border=4, light="white", nl=False
    )
    return Response(picture.getvalue(), content_type="image/svg+xml")


@blueprint.post("/share/<token>/name")
@public(csrf=False, limited=False)  # as above
def appear(token: str) -> ResponseReturnValue:
    """How the person appears on leaderboards: under their pseudonym, under a name they agree to, or not at all."""
    visit, choice = _visit(token), request.form.get("appear", "pseudonym")
    shown = clean(request.form.get("name", "")) if choice == "name" else ""
    if choice not in ("pseudonym", "name", "hidden"):
        raise Invalid("appear", "choice", _l("Choose one of the three."))
    if (choice == "name" and not 1 <= len(shown) <= LONGEST_NAME) or "\n" in shown:
        raise Invalid("name", "length-1-40", _l("A name has 1 to 40 characters."))
    services.show_name(db.session, visit.advocate, shown, on_board=choice != "hidden")
    db.session.commit()
    return redirect(f"/share/{token}#board", 303)


@blueprint.post("/share/<token>/notify")
@public(csrf=False)  # as above
def notify(token: str) -> ResponseReturnValue:
    """A browser that asked for notifications."""
    visit, told = _visit(token), parse(notifying.Subscription, read_json(request))
    notifying.subscribe(db.session, visit.advocate, told, amplify().settings)
    db.session.commit()
    return "", 204


@blueprint.get("/brand/<slug>/privacy")
@public()
def privacy(slug: str) -> ResponseReturnValue:
    """What is kept about people who share and people who follow a link, and for how long."""
    g.brand = brand_by_slug(db.session, slug)
    return render_template("sharing/privacy.html", days=ME_DAYS)
