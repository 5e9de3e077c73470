"""Points kept out while they are held or refused: taken back by entries, earned anew by entries when they are let go.

One rule, applied whenever something changed: each click and each order of an advocate earns exactly if nothing covers
it (fraud/holds.py) and nothing else took it back. Applying it twice changes nothing.
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.fraud import holds
from amplify.fraud.events import HoldsChanged
from amplify.fraud.holds import Holds
from amplify.fraud.rushes import Rush
from amplify.leaderboards.corrections import SET_ASIDE, next_key_after
from amplify.leaderboards.days import EPOCH
from amplify.leaderboards.models import PointsEntry
from amplify.leaderboards.reactions import reversal_of, write
from amplify.sharing.models import ShareLink
from amplify.tracking.events import ClicksReclassified, Converted, HumansClicked
from amplify.tracking.models import Conversion

# ("click", 91): what earns, whichever time it does.
Source = tuple[str, int]
COLUMNS = (
    "brand_id", "advocate_id", "campaign_id", "business_line_id", "location_id", "link_id", "channel", "cause",
    "milli_points", "is_reward_eligible", "occurred_at",
)  # fmt: skip


def on_holds_changed(session: Session, fact: HoldsChanged) -> None:
    """What is held of these advocates is another now."""
    held = holds.in_force(session, fact.advocate_ids)
    for advocate_id in sorted(fact.advocate_ids):
        settle(session, advocate_id, held.get(advocate_id, Holds()))


def on_human_clicks(session: Session, fact: HumansClicked) -> None:
    """Points were just given; not those of whoever is held."""
    # Only their days are looked at: in a rush, batch follows batch.
    since = min(click.at for click, _link in fact.clicks).replace(hour=0, minute=0, second=0, microsecond=0)
    _after(session, {link.advocate_id for _click, link in fact.clicks}, since)


def on_clicks_reclassified(session: Session, fact: ClicksReclassified) -> None:
    """The same."""
    _after(session, {link.advocate_id for _click, link in fact.gained})


def on_converted(session: Session, fact: Converted) -> None:
    """The same."""
    _after(session, {fact.link.advocate_id})


def _after(session: Session, advocate_ids: Collection[int], since: datetime = EPOCH) -> None:
    for advocate_id, held in sorted(holds.in_force(session, advocate_ids).items()):
        settle(session, advocate_id, held, since)


def settle(session: Session, advocate_id: int, held: Holds, since: datetime = EPOCH) -> None:
    """Write what is missing for the rule to hold for one advocate, for everything `since` a midnight (UTC)."""
    mine = PointsEntry.advocate_id == advocate_id, PointsEntry.occurred_at >= since
    causes = PointsEntry.cause.in_(("human_click", "conversion"))
    earned = session.scalars(sa.select(PointsEntry).where(*mine, causes).order_by(PointsEntry.id)).all()
    taken_by = _taken_by(session, *mine)
    last = {_source(entry): entry for entry in earned}
    nth: Counter[Rush] = Counter()
    buyers = _buyers(session, advocate_id, held) if held.rushes else set()
    new: list[dict[str, Any]] = []
    for source, entry in last.items():
        by = taken_by.get(entry.id, set())
        if by - {SET_ASIDE}:
            continue  # a refund, or a click that was no person's: nothing comes back
        covered = source not in buyers and _covers(held, entry, source, nth)
        if covered and not by:
            new.append(reversal_of(entry, SET_ASIDE, entry.cause_key))
        elif by and not covered:
            new.append(again(entry))
    write(session, new)


def _taken_by(session: Session, *which: sa.ColumnElement[bool]) -> dict[int, set[str]]:
    """Entry id -> the causes of the entries that took it back. They carry the time of what they take back."""
    mine = *which, PointsEntry.reverses_id.is_not(None)
    found: dict[int, set[str]] = {}
    for reverses_id, cause in session.execute(sa.select(PointsEntry.reverses_id, PointsEntry.cause).where(*mine)):
        found.setdefault(reverses_id or 0, set()).add(cause)
    return found


def _source(entry: PointsEntry) -> Source:
    """("click", 91), whichever time it is that click 91 earns."""
    kind, number = entry.cause_key.split(":")[:2]
    return kind, int(number)


def _buyers(session: Session, advocate_id: int, held: Holds) -> set[Source]:
    """Visits after which somebody bought something that counts: no rush of machines does that."""
    bought = sa.select(Conversion.click_id, Conversion.id).join(ShareLink, ShareLink.id == Conversion.link_id)
    rows = session.execute(bought.where(ShareLink.advocate_id == advocate_id))
    return {("click", click) for click, order in rows if click is not None and not held.cover_order(order)}


def _covers(held: Holds, entry: PointsEntry, source: Source, nth: "Counter[Rush]") -> bool:
    kind, number = source
    if kind != "click":
        return held.cover_order(number)
    rush = held.rush_of(entry.link_id, entry.occurred_at)
    if rush is not None:
        nth[rush] += 1
    return held.whole is not None or (rush is not None and nth[rush] > rush.keeps)


def again(entry: PointsEntry) -> dict[str, Any]:
    """The same points once more, as it was."""
    kept = {name: getattr(entry, name) for name in COLUMNS}
    return kept | {"cause_key": next_key_after(entry.cause_key), "reverses_id": None}
