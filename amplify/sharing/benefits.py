"""What the friends of whoever shares get, said where it is shared. The floor that knows (rewards) is wired in."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from amplify.campaigns.models import Campaign
from amplify.core.i18n import gettext as _

# What friends get from this campaign now, in this language: "10% off"; "" for nothing.
Source = Callable[[Session, Campaign, str], str]

_sources: list[Source] = []


def wire(*sources: Source) -> None:
    """Install who is asked, in order (once, at start; a second call replaces the first)."""
    _sources[:] = sources


def offered(session: Session, campaign: Campaign, locale: str) -> str:
    """What friends get from this campaign now; "" for nothing."""
    return next(filter(None, (source(session, campaign, locale) for source in _sources)), "")


def told(session: Session, campaign: Campaign, locale: str) -> str:
    """The same as a sentence to the friend, in the language in force; "" for nothing."""
    what = offered(session, campaign, locale)
    return str(_("With this link you get: %(what)s.", what=what)) if what else ""
