"""The phone's own share sheet (navigator.share): any app that is installed. Shown only where the device has one."""

from amplify.core.i18n import lazy_gettext as _l
from amplify.sharing.channel import Channel, Draft


class Sheet(Channel):
    """Which app is chosen is not told to us."""

    name = "sheet"
    label = _l("Choose an app")
    icon = "share-2"
    kind = "sheet"
    order = 5

    def compose(self, draft: Draft) -> None:
        return None
