"""Rules and states in words: with their counts for staff, by their kind alone for the person concerned.

What a person is told names what was noticed, never from how many on: that would teach how to stay below it.
"""

from typing import Any

from amplify.core.i18n import lazy_gettext as _l

KINDS = {"advocate": _l("Advocate"), "order": _l("Order"), "day": _l("Day")}
STATES = {
    "clear": (_l("Nothing held"), ""),
    "held": (_l("Held"), "warn"),
    "refused": (_l("Refused"), "bad"),
    "accepted": (_l("Accepted"), "good"),
    "upheld": (_l("Appeal rejected"), "bad"),
}
OUTCOMES = {"open": _l("Not answered yet"), "accepted": _l("Accepted"), "rejected": _l("Rejected")}

# Each with the count and from what count on it matters.
REASONS = {
    "click-rush": _l("%(count)s visits in one hour; much here is %(threshold)s"),
    "order-rush": _l("%(count)s orders in one hour; much here is %(threshold)s"),
    "own-orders": _l("Orders that seem to be the advocate's own: %(count)s"),
    "claimed-orders": _l("Orders told with the clicks of two advocates: %(count)s"),
    "disposable-mail": _l("The advocate's address is a mailbox for minutes"),
    "many-accounts": _l("%(count)s accounts with one and the same device and network; %(threshold)s matter"),
    "mutual": _l("Others who bought through the advocate, and the advocate through them: %(count)s"),
    "ring": _l("A ring of %(count)s who buy through each other, and hardly anybody else does"),
    "one-visitor": _l("%(count)s %% of the orders by one visitor; %(threshold)s %% matter"),
    "own-mailbox": _l("Bought with the advocate's own address"),
    "own-visitor": _l("Bought with the advocate's own device and network"),
    "claimed": _l("Two advocates' clicks were named for this order"),
    "in-ring": _l("The advocate is in a ring of %(count)s"),
    "rush": _l("%(count)s orders in this hour; much here is %(threshold)s"),
    "disposable-buyer": _l("The buyer's address is a mailbox for minutes"),
    "day-rush": _l("%(count)s visits on this day; much here is %(threshold)s"),
}
# What the person concerned is told of it.
TOLD = {
    "click-rush": _l("unusually many visits in a short time"),
    "order-rush": _l("unusually many orders in a short time"),
    "own-orders": _l("orders that may be your own"),
    "claimed-orders": _l("orders that the shop told us about twice"),
    "disposable-mail": _l("an e-mail address that lasts only a short time"),
    "many-accounts": _l("several accounts on one device"),
    "mutual": _l("purchases back and forth between the same people"),
    "ring": _l("purchases in a circle of the same people"),
    "one-visitor": _l("many orders by one and the same person"),
    "own-mailbox": _l("an order that may be your own"),
    "own-visitor": _l("an order that may be your own"),
    "claimed": _l("an order that the shop told us about twice"),
    "in-ring": _l("purchases in a circle of the same people"),
    "rush": _l("unusually many orders in a short time"),
    "disposable-buyer": _l("an e-mail address that lasts only a short time"),
    "day-rush": _l("unusually many visits in a short time"),
}


def reason_words(reason: dict[str, Any]) -> Any:
    """A stored reason in plain words, for staff; one of an older rule by its name."""
    words = REASONS.get(reason["rule"])
    return words % {"count": reason["count"], "threshold": reason["threshold"]} if words else reason["rule"]


def told_words(reasons: list[dict[str, Any]]) -> list[Any]:
    """What the person is told, each kind once."""
    return list(dict.fromkeys(str(TOLD[one["rule"]]) for one in reasons if one["rule"] in TOLD))
