"""Verdicts and attributions in words that a person without our trade understands."""

from typing import Any, NamedTuple

from amplify.core.i18n import lazy_gettext as _l


class Words(NamedTuple):
    """A short name and a sentence that says why."""

    label: Any
    reason: Any


VERDICTS = {
    "human": Words(_l("Counted"), _l("A person followed the link, for the first time in 24 hours.")),
    "duplicate": Words(_l("Came back"), _l("The same visitor followed the same link again within 24 hours.")),
    "self": Words(_l("Own click"), _l("It came from the browser of the person who shared the link.")),
    "preview": Words(
        _l("Link preview"), _l("An app or a network fetched the link to show its card. Nobody read it yet.")
    ),
    "bot": Words(_l("Machine"), _l("A program that reads pages: a search engine, a script, a scanner.")),
    "prefetch": Words(_l("Loaded ahead"), _l("A browser loaded the page in advance. Nobody had clicked yet.")),
    "scanner": Words(
        _l("Checked by a scanner"), _l("Mail security or a network opened the link to check it. Nobody read it yet.")
    ),
    "head": Words(_l("Only asked"), _l("A program asked whether the link works and did not open it.")),
}
WAITING = Words(_l("Being looked at"), _l("It came in just now; its verdict follows within seconds."))

ATTRIBUTIONS = {
    "attributed": Words(_l("Counted"), _l("The order followed a person's click on the link.")),
    "pending": WAITING,
    "no-click": Words(_l("No click named"), _l("The shop named no click with this order.")),
    "click-unknown": Words(_l("Unknown click"), _l("The shop named a click that this brand does not have.")),
    "before-click": Words(_l("Before the click"), _l("The order was placed before the link was followed.")),
    "outside-window": Words(_l("Too late"), _l("The order came later than the brand's time for attribution.")),
}
OTHER_CLICK = Words(
    _l("Not a friend's click"), _l("The click named by the shop was not a friend's: a machine's or one's own.")
)


def verdict_words(verdict: str | None) -> Words:
    """A click's verdict in words; None is one that is not judged yet."""
    return VERDICTS.get(verdict or "", WAITING)


def attribution_words(rule: str) -> Words:
    """An order's attribution in words."""
    return ATTRIBUTIONS.get(rule, OTHER_CLICK)
