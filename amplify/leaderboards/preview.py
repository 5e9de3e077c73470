"""Who would move if the rules were others: the whole ledger folded both ways, and nothing stored."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.core.errors import Invalid
from amplify.core.i18n import lazy_gettext as _l
from amplify.customers.models import Customer
from amplify.leaderboards.boards import WHOLE_BRAND
from amplify.leaderboards.folding import Totals, fold_all
from amplify.leaderboards.ledger import ledgers
from amplify.leaderboards.models import PointsEntry
from amplify.leaderboards.scoring import Rules
from amplify.leaderboards.ties import by_conversions, by_pseudonym
from amplify.sharing.models import Advocate
from amplify.tracking.queries import board_name

FIRST, LARGEST = 20, 10
# What a page can wait for; beyond it, the rebuild itself is the answer.
MOST = 300_000


class Move(NamedTuple):
    """One advocate's rank by the rules in force and by the new ones; None: not ranked."""

    name: str
    before: int | None
    after: int | None


class Preview(NamedTuple):
    """The first of today, and those who move furthest; `moved` of `ranked` would change their rank."""

    first: list[Move]
    largest: list[Move]
    moved: int
    ranked: int


def preview(session: Session, brand_id: int, now: Rules, then: Rules) -> Preview:
    """Counted for everybody on the brand's board of all time. Raises Invalid("preview") for too large a ledger."""
    _check_size(session, brand_id)
    before, after = _ranks(session, brand_id, now), _ranks(session, brand_id, then)
    everybody = before.keys() | after.keys()
    moved = [who for who in everybody if before.get(who) != after.get(who)]
    last = len(everybody) + 1
    first = sorted(before, key=before.__getitem__)[:FIRST]
    furthest = sorted(
        moved, key=lambda who: (-abs(before.get(who, last) - after.get(who, last)), before.get(who, last))
    )
    names = _names(session, {*first, *furthest[:LARGEST]})

    def moves(whom: list[int]) -> list[Move]:
        return [Move(names[who], before.get(who), after.get(who)) for who in whom]

    return Preview(moves(first), moves(furthest[:LARGEST]), len(moved), len(everybody))


def _check_size(session: Session, brand_id: int) -> None:
    beyond = sa.select(PointsEntry.id).where(PointsEntry.brand_id == brand_id).limit(1).offset(MOST)
    if session.scalar(beyond) is not None:
        message = _l("There are too many entries to preview this on a page. It can be stored all the same.")
        raise Invalid("preview", "too-large", message)


def _ranks(session: Session, brand_id: int, rules: Rules) -> dict[int, int]:
    """Advocate -> rank, as a rebuild by these rules would have it."""
    stood: dict[int, Totals] = {}
    everybody = sa.select(PointsEntry.advocate_id).where(PointsEntry.brand_id == brand_id).distinct()
    for advocate_id, entries in ledgers(session, session.scalars(everybody).all(), up_to=2**63 - 1):
        totals = fold_all(entries, rules)[WHOLE_BRAND]
        if totals.score_log is not None:
            stood[advocate_id] = totals
    ties = _ties(session, brand_id, rules.tie_rule, stood)
    order = sorted(stood, key=lambda who: (-(stood[who].score_log or 0), ties[who], stood[who].reached_at, who))
    return {who: rank for rank, who in enumerate(order, 1)}


def _ties(session: Session, brand_id: int, rule: str, stood: Mapping[int, Totals]) -> dict[int, bytes]:
    if rule == "conversions":
        return {who: by_conversions(totals.conversions) for who, totals in stood.items()}
    if rule == "pseudonym":
        named = session.execute(sa.select(Advocate.id, Advocate.pseudonym).where(Advocate.brand_id == brand_id))
        return {who: by_pseudonym(name) for who, name in named}
    return dict.fromkeys(stood, b"")


def _names(session: Session, who: set[int]) -> dict[int, str]:
    """As the board shows them; who left it under the pseudonym."""
    columns = Advocate.id, Advocate.pseudonym, Advocate.shown_name, Customer.erased_at, Advocate.on_board
    mine = sa.select(*columns).outerjoin(Customer, Customer.id == Advocate.customer_id)
    found = session.execute(mine.where(is_among(session, Advocate.id, who)))
    return {
        one: board_name(pseudonym, shown if on_board else None, erased)
        for one, pseudonym, shown, erased, on_board in found
    }
