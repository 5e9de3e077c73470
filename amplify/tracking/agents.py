"""What a user agent says of itself: a link-preview fetcher, another machine, or nothing we know (then a person).

crawlerdetect's list costs tens of microseconds a call, so one object is kept and its answer cached by agent. Ours
comes first: it tells previews from other machines, and holds what the library misses (tried on recorded agents).
"""

from functools import lru_cache

from crawlerdetect import CrawlerDetect  # type: ignore[import-untyped]

# Fetchers that make a card from a posted link, by a part of their agent in lower case. The words of in-app browsers
# (Instagram, Pinterest, Snapchat, LinkedInApp, FBAN) must never stand here: those are people.
PREVIEWS = (
    "facebookexternalhit", "facebot", "meta-external", "twitterbot", "linkedinbot", "slackbot", "slack-imgproxy",
    "whatsapp/", "discordbot", "telegrambot", "mastodon/", "akkoma", "pleroma", "misskey/", "summalybot", "cardyb",
    "app.bsky", "skypeuripreview", "microsoftpreview", "redditbot", "pinterestbot", "applebot", "iframely", "embedly",
    "vkshare", "viber/", "kakaotalk-scrap", "line-poker", "google-pagerenderer", "bitlybot", "preview",
)  # fmt: skip
# Machines that the library takes for people.
MACHINES = ("; bot", "headlesschrome", "phantomjs", "electron/")

_detect = CrawlerDetect()


@lru_cache(maxsize=4096)
def kind_of(user_agent: str) -> tuple[str, str]:
    """("preview" | "bot" | "", the rule): the empty kind means that nothing speaks against a person."""
    agent = user_agent.strip().lower()
    if not agent:
        return "bot", "agent-empty"
    for kind, words in (("preview", PREVIEWS), ("bot", MACHINES)):
        for word in words:
            if word in agent:
                return kind, f"agent:{word}"
    if _detect.is_crawler(user_agent):
        return "bot", f"agent:{str(_detect.get_matches() or 'crawler').lower()}"[:80]
    return "", ""
