"""A QR code of the link: to be shown to somebody across the table."""

from amplify.core.i18n import lazy_gettext as _l
from amplify.sharing.channel import Channel, Draft


class Qr(Channel):
    """A page with the code, large."""

    name = "qr"
    label = _l("QR code")
    icon = "qr-code"
    kind = "page"
    order = 95
    may_prefill = False

    def compose(self, draft: Draft) -> None:
        return None
