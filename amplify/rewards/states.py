"""The states of a push, and every way from one to the next: the verb, from where, to where, and who says it.

verb      from                            to          who
hold      (when it is planned)            held        the plan, if its worth is above the brand's limit
approve   held                            approved    two different people of the staff
send      earned, approved                sent        the channel that took the message
fail      earned, approved                failed      the provider or the channel, for good
retry     failed                          earned      staff ("try again")
suppress  earned, held, approved          suppressed  the rules, asked again before anything leaves
cancel    earned, held, approved          cancelled   a stop, an erasure, or staff who refuse what is held
renew     cancelled, suppressed           earned      the worker, when a milestone that was undone is reached again
leave     cancelled                       sent        the channel, which had it already when it was cancelled
return    sent                            earned      the channel, when it comes back: the next way, else `fail`
redeem    earned, approved, sent, failed  redeemed    the till, the shop, a file, or staff whose task is done
revoke    sent, failed                    revoked     staff (a purchase given back, fraud)
expire    sent                            expired     the worker, once its last day is over
"""

from typing import NamedTuple

from amplify.core.i18n import lazy_gettext as _l

STATES = (
    "earned", "held", "approved", "sent", "redeemed", "failed", "cancelled", "suppressed", "revoked", "expired",
)  # fmt: skip
# Owed, and on its way: what an order at a provider and a message are made for.
DUE = ("earned", "approved")
# Owed; nothing has left.
OPEN = ("earned", "held", "approved")
# Their amounts are back in the budget. What is revoked or has expired was given once, so it stays on the books.
GIVEN_BACK = ("cancelled", "suppressed")
# The message has left, whatever came after.
LEFT = ("sent", "redeemed", "revoked", "expired")


class Move(NamedTuple):
    """A verb: the states it may be said in, the state it leads to, and who says it."""

    before: tuple[str, ...]
    after: str
    who: str


MOVES = {
    "approve": Move(("held",), "approved", "staff"),
    "send": Move(DUE, "sent", "channel"),
    "fail": Move(DUE, "failed", "provider or channel"),
    "retry": Move(("failed",), "earned", "staff"),
    "suppress": Move(OPEN, "suppressed", "rules"),
    "cancel": Move(OPEN, "cancelled", "campaign or staff"),
    "renew": Move(("cancelled", "suppressed"), "earned", "worker"),
    "leave": Move(("cancelled",), "sent", "channel"),
    "return": Move(("sent",), "earned", "channel"),
    "redeem": Move(("earned", "approved", "sent", "failed"), "redeemed", "shop or staff"),
    "revoke": Move(("sent", "failed"), "revoked", "staff"),
    "expire": Move(("sent",), "expired", "worker"),
}
# As they stand in a sentence ("A reward that is held cannot do this.").
STATE_WORDS = {
    "earned": _l("earned"),
    "held": _l("held"),
    "approved": _l("approved"),
    "sent": _l("sent"),
    "redeemed": _l("redeemed"),
    "failed": _l("failed"),
    "cancelled": _l("cancelled"),
    "suppressed": _l("suppressed"),
    "revoked": _l("revoked"),
    "expired": _l("expired"),
}
