"""Causes of points in words, for the person who earned them."""

from typing import Any

from amplify.core.i18n import lazy_gettext as _l
from amplify.tracking.wording import Words, attribution_words, verdict_words

CAUSES = {
    "human_click": _l("Somebody followed your link"),
    "conversion": _l("Somebody who followed your link bought something"),
    "share_confirmed": _l("Your share found its first reader"),
    "refund": _l("A purchase was given back"),
    "reward": _l("A thank-you for what your links brought (recognition only)"),
    "appealed_click": _l("Somebody followed your link: it counts since you told us"),
    "appealed_order": _l("Somebody bought something: it counts since you told us"),
    "appeal": _l("Given back, as you told us"),
    "set_aside": _l("Kept out by a check"),
    "reclassified": _l("Looked at again: it was not a person's first visit"),
}
# Why an entry does not count any more, by the cause of the entry that took it back.
TAKEN_BACK = {
    "refund": _l("taken back: the purchase was given back"),
    "set_aside": _l("kept out by a check"),
    "appeal": _l("given back, as you told us"),
    "reclassified": _l("taken back: looked at again, it was not a person's first visit"),
}
EXPLAINED = {
    "human_click": _l("a person follows your link"),
    "conversion": _l("a person who followed your link buys something"),
    "share_confirmed": _l("a share of yours finds its first reader (recognition only)"),
}
# Who stands first of those with equal scores.
TIES = {
    "earliest": _l("Who reached it first"),
    "conversions": _l("Who has more purchases"),
    "pseudonym": _l("By the alphabet of their pseudonyms"),
}
WINDOWS = {
    "all": _l("All time"),
    "7": _l("Last 7 days"),
    "30": _l("Last 30 days"),
    "90": _l("Last 90 days"),
    "campaign": _l("The campaign's period"),
}
# Why somebody would stand elsewhere on a past board.
CHANGED_BY = {
    "refund": _l("A purchase was given back"),
    "fraud": _l("A check held, refused or let go something"),
    "reclassified": _l("Visits were judged again"),
    "appeal": _l("An appeal was agreed to"),
    "late": _l("Something came in, or counted, only later"),
    "rules": _l("The rules for points changed"),
    "erased": _l("The person was erased; the points stay"),
    "others": _l("Others moved"),
}
# What an appeal is about, and what became of it.
THINGS = {"click": _l("A visit"), "conversion": _l("A purchase")}
OUTCOMES = {
    "open": (_l("Not answered yet"), "accent"),
    "accepted": (_l("Agreed"), "good"),
    "rejected": (_l("It stays as it is"), ""),
}


def words_of(what: str, verdict: str) -> Words:
    """Why a click (or an order) did or did not count."""
    return verdict_words(verdict) if what == "click" else attribution_words(verdict)


def state_words(thing: Any) -> Any:
    """Whether a click or an order (appealable.Thing) counts, and if not, why not."""
    if thing.counts:
        return _l("It counts.")
    if thing.taken_by:
        return TAKEN_BACK.get(thing.taken_by, thing.taken_by)
    return words_of(thing.kind, thing.verdict).reason
