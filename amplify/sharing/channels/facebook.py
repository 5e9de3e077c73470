"""Facebook: the sharer, which makes its card from the link's Open Graph tags."""

from amplify.sharing.channel import Channel, Draft, address


class Facebook(Channel):
    """Meta Developer Policy: the person's message must not be prefilled; no pay for posts (3.2)."""

    name = "facebook"
    label = "Facebook"
    icon = "brand-facebook"
    order = 20
    may_prefill = False
    policy_url = "https://developers.facebook.com/docs/apps/policies/policies-deep-dive"

    def compose(self, draft: Draft) -> str:
        return address("https://www.facebook.com/sharer/sharer.php", u=draft.url)
