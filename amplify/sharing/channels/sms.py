"""SMS: the phone's own messages."""

from urllib.parse import quote

from amplify.core.i18n import lazy_gettext as _l
from amplify.sharing.channel import Channel, Draft


class Sms(Channel):
    """`?&body=` is what both iOS and Android read."""

    name = "sms"
    label = _l("SMS")
    icon = "message-square"
    kind = "app"
    order = 80
    max_length = 600  # four parts; longer ones are cut or dear

    def compose(self, draft: Draft) -> str:
        return f"sms:?&body={quote(draft.text, safe='')}"
