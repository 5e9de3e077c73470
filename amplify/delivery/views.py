"""The pages behind the links of a mail: leaving at one click (RFC 8058; a GET changes nothing), and what one wishes;
and the picture that a brand may count opens by."""

from base64 import b64decode

from flask import Blueprint, Response, g, render_template, request
from flask.typing import ResponseReturnValue

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.db import db
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import public
from amplify.core.web import amplify
from amplify.delivery import opens, services
from amplify.delivery import preferences as wishing
from amplify.delivery.models import Message
from amplify.delivery.render import PREFERENCES_PURPOSE, UNSUBSCRIBE_PURPOSE, unsubscribe_url

blueprint = Blueprint("delivery", __name__)
# One transparent pixel.
DOT = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@blueprint.get("/unsubscribe/<token>")
@public()
def unsubscribe(token: str) -> ResponseReturnValue:
    """Asks first: mail scanners follow every link."""
    message = _message_of(token, UNSUBSCRIBE_PURPOSE)
    is_done = services.is_unsubscribed(db.session, message)
    return render_template("delivery/unsubscribe.html", is_done=is_done)


@blueprint.post("/unsubscribe/<token>")
@public(csrf=False, limited=False)  # a mail provider sends many of them from one address
def unsubscribe_at_once(token: str) -> ResponseReturnValue:
    """What mail programs send for the reader, without cookies; also the page's own button."""
    message = _message_of(token, UNSUBSCRIBE_PURPOSE)
    services.unsubscribe(db.session, message)
    db.session.commit()
    return render_template("delivery/unsubscribe.html", is_done=True)


@blueprint.get("/preferences/<token>")
@public()
def preferences(token: str) -> ResponseReturnValue:
    """How the reader of a mail wants to be written to."""
    return _preferences(_message_of(token, PREFERENCES_PURPOSE), token)


@blueprint.post("/preferences/<token>")
@public(csrf=False)  # the token in the address is what nobody else can know
def wish(token: str) -> ResponseReturnValue:
    """Keep what they wish."""
    message, form = _message_of(token, PREFERENCES_PURPOSE), request.form
    fewer, locale = form.get("often") == "fewer", form.get("locale", "")
    wishing.wish(db.session, message, wanted=form.getlist("way"), fewer=fewer, locale=locale)
    db.session.commit()
    g.language = locale
    return _preferences(message, token, is_done=True)


def _preferences(message: Message, token: str, *, is_done: bool = False) -> str:
    kept = wishing.wishes_of(db.session, message)
    return render_template(
        "delivery/preferences.html",
        ways=wishing.WAYS,
        unwanted=kept.unwanted if kept else (),
        wants_fewer=bool(kept and kept.wants_fewer),
        unsubscribe_url=unsubscribe_url(message),
        is_done=is_done,
    )


@blueprint.get("/o/<token>.gif")
@public(writes=True, limited=False)  # the proxies of mail programs load for very many people
def picture(token: str) -> Response:
    """The picture in a mail. Loading it is all that is noted, and nothing else changes."""
    message = _message_of(token, opens.PURPOSE)
    if request.method == "GET":
        opens.note(db.session, message, request.user_agent.string, clock.now())
        db.session.commit()
    return Response(DOT, content_type="image/gif", headers={"Cache-Control": "private, no-store"})


def _message_of(token: str, purpose: str) -> Message:
    message = db.session.get(Message, amplify().signer(purpose).read(token))
    if message is None:
        raise NotFound(_l("This link is not valid."), rule="link-unknown")
    g.brand, g.language = db.session.get_one(Brand, message.brand_id), message.locale
    return message
