"""Whether a mail's picture was loaded: counted only if the brand turned it on, and never taken for the truth.

Machines load pictures that nobody looks at, and people read mails without them. Told apart as far as that is honest:
Apple's Mail Privacy Protection loads everything through proxies that call themselves "Mozilla/5.0" and no more, mail
security looks within seconds; Gmail and Yahoo load through proxies of theirs, as a rule when somebody opens the mail.
Kept are the first moment and the kind: no address, no browser.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.web import amplify
from amplify.delivery.models import Message

PURPOSE = "open"
# What is seen later replaces what is known only if it says more.
KINDS = ("", "machine", "proxy", "person")
BY_PEOPLE = ("proxy", "person")
BARE = "Mozilla/5.0"
PROXIES = ("GoogleImageProxy", "YahooMailProxy")
MACHINES = ("bot", "scan", "preview", "curl", "python", "barracuda", "proofpoint", "mimecast")
# Nobody opens a mail sooner after the other side's mail server took it.
TOO_SOON = timedelta(seconds=10)


def open_url(message: Message, brand: Brand) -> str:
    """The address of this message's picture; "" unless the brand counts opens, and for what is no marketing."""
    if not brand.counts_opens or not message.is_marketing:
        return ""
    return f"{amplify().settings.base_url}/o/{amplify().signer(PURPOSE).sign(message.id)}.gif"


def note(session: Session, message: Message, agent: str, at: datetime) -> None:
    """The picture of this message was loaded by a program that calls itself `agent`."""
    brand = session.get_one(Brand, message.brand_id)
    if not brand.counts_opens or not message.address:
        return
    found = kind(agent, at - message.sent_at if message.sent_at else timedelta(0))
    if KINDS.index(found) > KINDS.index(message.opened_by):
        message.opened_by, message.opened_at = found, at


def kind(agent: str, since_sent: timedelta) -> str:
    """ "machine", "proxy" or "person"."""
    if any(name in agent for name in PROXIES):
        return "proxy"
    is_machine = agent.strip() in ("", BARE) or any(word in agent.lower() for word in MACHINES)
    return "machine" if is_machine or since_sent < TOO_SOON else "person"
