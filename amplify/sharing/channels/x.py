"""X: the web intent (docs.x.com/x-for-websites/post-button/guides/web-intent)."""

from amplify.sharing.channel import Channel, Draft, address
from amplify.sharing.wording import x_weight

# Every address becomes one of t.co, of this length, whatever its own.
URL_LENGTH = 23


class X(Channel):
    """X Developer Policy, "Pay to engage": nobody is rewarded for posts, reposts, likes or follows."""

    name = "x"
    label = "X"
    icon = "brand-x"
    order = 30
    policy_url = "https://docs.x.com/developer-terms/policy"
    max_length = 280

    def length(self, draft: Draft) -> int:
        return x_weight(draft.body) + (1 if draft.body else 0) + URL_LENGTH

    def compose(self, draft: Draft) -> str:
        return address("https://x.com/intent/tweet", text=draft.body, url=draft.url)
