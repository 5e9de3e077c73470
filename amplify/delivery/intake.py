"""POST /in/channels/<name>: what the other side of a channel tells us later; the channel says whether it is them."""

from flask import Blueprint, Response, request

from amplify.core.db import db
from amplify.core.errors import NotFound
from amplify.core.i18n import lazy_gettext as _l
from amplify.core.security import signed
from amplify.core.web import amplify
from amplify.delivery import receipts
from amplify.delivery.channel import channel_of

blueprint = Blueprint("channel_intake", __name__)
# Empty TwiML: nothing is answered to the telephone; the provider itself confirms a STOP.
SILENCE = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


@blueprint.post("/in/channels/<name>")
@signed()
def hear(name: str) -> Response:
    """Told twice, nothing changes."""
    channel, settings = channel_of(name), amplify().settings
    if channel is None:
        raise NotFound(_l("Nothing is told here."), rule="channel-silent")
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    told = receipts.Told(
        url=f"{settings.base_url}{request.path}{query}",
        query=request.args.to_dict(),
        headers={key.lower(): value for key, value in request.headers.items()},
        form=request.form.to_dict(flat=False),
    )
    receipts.take(db.session, name, channel.hear(settings, told))
    db.session.commit()
    return Response(SILENCE, content_type="text/xml")
