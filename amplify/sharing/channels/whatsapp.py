"""WhatsApp: wa.me without a number lets the person choose whom to write to."""

from amplify.sharing.channel import Channel, Draft, address


class WhatsApp(Channel):
    """To friends of one's own choice, in one's own name; we never see whom."""

    name = "whatsapp"
    label = "WhatsApp"
    icon = "brand-whatsapp"
    order = 10
    policy_url = "https://developers.facebook.com/docs/apps/policies/policies-deep-dive"

    def compose(self, draft: Draft) -> str:
        return address("https://wa.me/", text=draft.text)
