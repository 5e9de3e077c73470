"""Causes of points in words, for the person who earned them."""

from amplify.core.i18n import lazy_gettext as _l

CAUSES = {
    "human_click": _l("Somebody followed your link"),
    "conversion": _l("Somebody who followed your link bought something"),
    "share_confirmed": _l("Your share found its first reader"),
    "refund": _l("A purchase was given back"),
    "reward": _l("A thank-you for what your links brought (recognition only)"),
    "set_aside": _l("Kept out by a check"),
    "reclassified": _l("Looked at again: it was not a person's first visit"),
}
# Why an entry does not count any more, by the cause of the entry that took it back.
TAKEN_BACK = {
    "refund": _l("taken back: the purchase was given back"),
    "set_aside": _l("kept out by a check"),
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
