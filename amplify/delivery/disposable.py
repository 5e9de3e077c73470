"""Mail domains that give a mailbox to anybody for minutes. A small list of our own; brands add theirs in the settings.

Source: our own. Each belongs to a service whose front page offers a mailbox without any account, read in November 2026.
It is short on purpose: such services come and go by the thousand, and an address like this is a reason, never a proof.
"""

from collections.abc import Collection

DOMAINS = frozenset({
    "10minutemail.com", "33mail.com", "byom.de", "discard.email", "dispostable.com", "emailondeck.com", "fakeinbox.com",
    "getairmail.com", "getnada.com", "grr.la", "guerrillamail.biz", "guerrillamail.com", "guerrillamail.de",
    "guerrillamail.info", "guerrillamail.net", "guerrillamail.org", "guerrillamailblock.com", "inboxkitten.com",
    "mail.tm", "mailcatch.com", "maildrop.cc", "mailinator.com", "mailnesia.com", "mailpoof.com", "mintemail.com",
    "mohmal.com", "moakt.com", "mytemp.email", "sharklasers.com", "spam4.me", "spamgourmet.com", "temp-mail.io",
    "temp-mail.org", "tempail.com", "tempmail.com", "tempmailo.com", "throwawaymail.com", "trashmail.com",
    "trashmail.de", "yopmail.com", "yopmail.fr", "yopmail.net",
})  # fmt: skip


def is_disposable(address: str, more: Collection[str] = ()) -> bool:
    """Whether the mailbox stands at such a service, or below its domain. `more`: domains of the brand's own list."""
    parts = address.strip().lower().rpartition("@")[2].split(".")
    domains = {".".join(parts[start:]) for start in range(len(parts) - 1)}
    return not domains.isdisjoint(DOMAINS) or not domains.isdisjoint(more)
