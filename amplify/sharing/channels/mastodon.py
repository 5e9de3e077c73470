"""Mastodon: the person's own server if they name it, else the project's share page, which asks for it."""

import ipaddress
import re
from urllib.parse import quote

from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.sharing.channel import Channel, Draft, address
from amplify.sharing.wording import graphemes

URL_LENGTH = 23  # what a link counts, whatever its length
SHARE_PAGE = "https://share.joinmastodon.org/"
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


class Mastodon(Channel):
    """500 characters unless a server allows more."""

    name = "mastodon"
    label = "Mastodon"
    icon = "brand-mastodon"
    order = 60
    max_length = 500
    question = ("server", _l("Your Mastodon server"), "mastodon.social")

    def length(self, draft: Draft) -> int:
        return sum(1 for _ in graphemes(draft.body)) + (2 if draft.body else 0) + URL_LENGTH

    def compose(self, draft: Draft) -> str:
        server = draft.answers.get("server", "").strip()
        if not server:
            return f"{SHARE_PAGE}#text={quote(draft.text)}"
        return address(f"https://{host_of(server)}/share", text=draft.text)


def host_of(server: str) -> str:
    """The host name in "mastodon.social", "https://mastodon.social/" or "@me@mastodon.social".

    Raises Invalid("server", "host"): it becomes an address that the person is sent to, so nothing else gets through.
    """
    name = server.lower().removeprefix("https://").rstrip("/").rpartition("@")[2]
    try:
        host = name.encode("idna").decode("ascii")
    except UnicodeError:
        host = ""
    labels = host.split(".")
    if len(host) > 253 or len(labels) < 2 or not all(LABEL.fullmatch(label) for label in labels) or _is_ip(host):
        raise Invalid("server", "host", _l("This is not the name of a server, such as mastodon.social."))
    return host


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rpartition(".")[2].isdigit()
    return True
