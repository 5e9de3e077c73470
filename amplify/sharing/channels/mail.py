"""E-mail to a friend: the person's own mail program, their own address book (RFC 6068)."""

from urllib.parse import quote

from amplify.core.i18n import lazy_gettext as _l
from amplify.sharing.channel import Channel, Draft


class Mail(Channel):
    """We never store or write to a friend's address (UK PECR, refer a friend)."""

    name = "mail"
    label = _l("E-mail")
    icon = "mail"
    kind = "app"
    order = 70
    # Mail programs take addresses of about 2,000 characters; escaped text grows threefold.
    max_length = 600

    def compose(self, draft: Draft) -> str:
        body = draft.text.replace("\n", "\r\n")
        return f"mailto:?subject={quote(draft.title, safe='')}&body={quote(body, safe='')}"
