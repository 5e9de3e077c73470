"""The page behind "Unsubscribe": a GET shows it and changes nothing, a POST unsubscribes at one click (RFC 8058)."""

from flask import Blueprint, g, render_template
from flask.typing import ResponseReturnValue

from amplify.brands.models import Brand
from amplify.core.db import db
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import public
from amplify.core.web import amplify
from amplify.delivery import services
from amplify.delivery.models import Message
from amplify.delivery.render import UNSUBSCRIBE_PURPOSE

blueprint = Blueprint("delivery", __name__)


@blueprint.get("/unsubscribe/<token>")
@public()
def unsubscribe(token: str) -> ResponseReturnValue:
    """Asks first: mail scanners follow every link."""
    message = _message_of(token)
    is_done = services.is_unsubscribed(db.session, message)
    return render_template("delivery/unsubscribe.html", is_done=is_done)


@blueprint.post("/unsubscribe/<token>")
@public(csrf=False, limited=False)  # a mail provider sends many of them from one address
def unsubscribe_at_once(token: str) -> ResponseReturnValue:
    """What mail programs send for the reader, without cookies; also the page's own button."""
    message = _message_of(token)
    services.unsubscribe(db.session, message)
    db.session.commit()
    return render_template("delivery/unsubscribe.html", is_done=True)


def _message_of(token: str) -> Message:
    message = db.session.get(Message, amplify().signer(UNSUBSCRIBE_PURPOSE).read(token))
    if message is None:
        raise NotFound(_l("This link is not valid."), rule="link-unknown")
    g.brand, g.language = db.session.get_one(Brand, message.brand_id), message.locale
    return message
