"""Copy the link: for every place that has no button here."""

from amplify.core.i18n import lazy_gettext as _l
from amplify.sharing.channel import Channel, Draft


class Copy(Channel):
    """A page with the link in a field; with JavaScript one tap puts it into the clipboard."""

    name = "copy"
    label = _l("Copy link")
    icon = "link"
    kind = "page"
    order = 90

    def compose(self, draft: Draft) -> None:
        return None
