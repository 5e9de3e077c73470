"""What a person wishes: by which ways, in which language, how often. Said on a page that every mail leads to."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import clock, events
from amplify.core.bulk import insert_ignore
from amplify.core.errors import Invalid, NotFound
from amplify.core.i18n import LANGUAGES
from amplify.core.i18n import lazy_gettext as _l
from amplify.delivery.events import WishesChanged
from amplify.delivery.models import Message, Wishes

# What people can switch off by itself; the brand's own program is no way to a person.
WAYS = {
    "email": _l("By e-mail"),
    "sms": _l("By text message (SMS)"),
    "webpush": _l("As notifications in the browser"),
}


def wishes_of(session: Session, message: Message) -> Wishes | None:
    """What the reader of this message said before."""
    own = Wishes.brand_id == message.brand_id, Wishes.person == message.person
    return session.scalar(sa.select(Wishes).where(*own))


def wish(session: Session, message: Message, *, wanted: Collection[str], fewer: bool, locale: str) -> None:
    """Keep what the reader of this message wishes. Raises Invalid("locale"), NotFound for a mail that is nobody's."""
    if not message.person:
        raise NotFound(_l("This link is not valid."), rule="link-unknown")
    if locale not in LANGUAGES:
        raise Invalid("locale", "language", _l("Amplify does not speak this language."))
    said = {"unwanted": [way for way in WAYS if way not in wanted], "wants_fewer": fewer, "at": clock.now()}
    insert_ignore(session, Wishes, [{"brand_id": message.brand_id, "person": message.person, **said}])
    kept = wishes_of(session, message)
    for name, value in said.items():
        setattr(kept, name, value)
    session.flush()
    events.publish(session, WishesChanged(message.brand_id, message.person, locale))
