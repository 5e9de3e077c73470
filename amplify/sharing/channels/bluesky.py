"""Bluesky: the compose intent; the link stands inside the text (bsky-docs, intent-links)."""

from amplify.sharing.channel import Channel, Draft, address

MAX_BYTES = 3_000  # of the post's text, by the lexicon app.bsky.feed.post


class Bluesky(Channel):
    """300 characters as people see them."""

    name = "bluesky"
    label = "Bluesky"
    icon = "brand-bluesky"
    order = 50
    max_length = 300

    def length(self, draft: Draft) -> int:
        # A text of few but huge characters meets the limit of bytes first.
        too_many_bytes = max(0, len(draft.text.encode()) - MAX_BYTES)
        return max(super().length(draft), self.max_length + too_many_bytes if too_many_bytes else 0)

    def compose(self, draft: Draft) -> str:
        return address("https://bsky.app/intent/compose", text=draft.text)
