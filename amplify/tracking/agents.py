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
    "vkshare", "viber/", "kakaotalk-scrap", "line-poker", "google-pagerenderer", "bitlybot", "preview", "microlink",
    "notion/1", "unfurl", "opengraph",
    "mac os x 11.6; rv:92.0",  # Discord's second fetcher; Firefox itself has said 10.15 on every macOS since 87
)  # fmt: skip
# Machines that the library takes for people.
MACHINES = (
    "; bot", "headlesschrome", "phantomjs", "electron/", "puppeteer", "playwright", "gmail-content-sampling",
    "googleimageproxy", "emailproxy", "mailproxy", "mail.ukr.net proxy", "ms-office", "microsoft office/", "barracuda",
    "proofpoint", "zgrab", "collection@infegy",
)  # fmt: skip
# People whose agent the library takes for a machine's: a mail program's own view.
PEOPLE = ("outlook-ios/", "outlook-android/")
# How the agents of browsers begin, and the engines of which each names one; so do the views inside apps, but for
# Facebook's oldest. What does not is a program, whatever it is called, and so is what names an address of its maker's.
BEGINNINGS = ("mozilla/5.0 (", "mozilla/4.0 (", "opera/")
ENGINES = ("applewebkit/", "gecko/", "trident/", "msie ", "presto/")
APPS = ("[fban/", "lightspeed [fban/")
ADDRESSES = ("://", "+mailto:")

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
    looks_right = _looks_like_a_browser(agent)
    if looks_right and any(word in agent for word in PEOPLE):
        return "", ""
    if _detect.is_crawler(user_agent):
        return "bot", f"agent:{str(_detect.get_matches() or 'crawler').lower()}"[:80]
    if any(mark in agent for mark in ADDRESSES):
        return "bot", "agent-address"
    return ("", "") if looks_right else ("bot", "agent-no-browser")


def _looks_like_a_browser(agent: str) -> bool:
    return agent.startswith(APPS) or (agent.startswith(BEGINNINGS) and any(engine in agent for engine in ENGINES))
