"""Opening a channel: the words are checked, the intent is recorded, and the address to go to is made."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.errors import Conflict, Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.sharing import drafts
from amplify.sharing.channel import Channel, Draft
from amplify.sharing.page import card_of, opening_of
from amplify.sharing.services import link_for, open_share
from amplify.sharing.tokens import Visit
from amplify.sharing.wording import clean


def open_channel(
    session: Session,
    visit: Visit,
    brand: Brand,
    channel: Channel,
    *,
    words: str,
    answers: Mapping[str, str],
    locale: str,
    base_url: str,
) -> str | None:
    """The address of the network's composer with this draft, or None where the channel is a page of ours.

    Records the share as opened: an intent. Raises Conflict when the campaign takes no shares, and Invalid when the
    network would not take the text or when another account already shared it.
    """
    if not visit.campaign.takes_shares:
        raise Conflict(_l("Nothing new can be shared with this campaign."), field="campaign", rule="not-live")
    words = clean(words)
    if len(words) > drafts.LONGEST:
        raise Invalid("text", "max-length", _l("This is too long: %(n)s characters at most.", n=drafts.LONGEST))
    response = visit.response
    if channel.may_prefill and drafts.is_somebody_elses(session, brand.id, visit.advocate, words, response):
        text = _l("Somebody else already shared exactly these words. Change a few, so that they are yours.")
        raise Invalid("text", "own-words", text)
    link = link_for(session, brand, visit.advocate, visit.campaign, channel.name, locale=locale, response=response)
    draft = Draft(
        words=words,
        url=f"{base_url}/s/{link.code}",
        disclosure=opening_of(session, visit.campaign, brand, locale),
        title=card_of(visit.campaign, brand, locale).title,
        answers=dict(answers),
    )
    channel.check(draft)
    address = channel.compose(draft)
    open_share(session, link, words, response, disclosure=draft.disclosure if channel.may_prefill else "")
    return address
