"""LinkedIn: share-offsite takes an address and nothing else."""

from amplify.sharing.channel import Channel, Draft, address


class LinkedIn(Channel):
    """The text cannot be prefilled; the card comes from the link's Open Graph tags."""

    name = "linkedin"
    label = "LinkedIn"
    icon = "brand-linkedin"
    order = 40
    may_prefill = False
    policy_url = "https://legal.linkedin.com/api-terms-of-use"

    def compose(self, draft: Draft) -> str:
        return address("https://www.linkedin.com/sharing/share-offsite/", url=draft.url)
