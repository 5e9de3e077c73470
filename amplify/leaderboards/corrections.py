"""Points put right when clicks were judged again: taken back and earned anew by entries, never by changing one.

The n-th time that a cause earns, its key ends with n ("click:91", "click:91:2"); the entry that takes it back has the
cause "reclassified" and the same key. So a click counts at most once whatever the rules say how often, and telling a
correction twice changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.leaderboards.models import PointsEntry
from amplify.leaderboards.reactions import entry_of, reversal_of, write
from amplify.sharing.events import ShareConfirmed, ShareUnconfirmed
from amplify.tracking.events import ClicksReclassified

TAKEN_BACK = "reclassified"
# Held or refused by fraud; see set_aside.py. What is set aside still stands here: only its points wait.
SET_ASIDE = "set_aside"


@dataclass(frozen=True)
class Earning:
    """The last time a cause earned: the entry, how often it has earned, whether that stands."""

    entry: PointsEntry
    times: int
    stands: bool
    is_set_aside: bool = False


def on_clicks_reclassified(session: Session, fact: ClicksReclassified) -> None:
    """Clicks that are a person's after all earn, those that are not any more give back."""
    clicks = [*fact.gained, *fact.lost]
    brands = {link.brand_id for _click, link in clicks}
    found = _last_earnings(session, brands, "human_click", [f"click:{click.id}" for click, _link in clicks])
    _take_back(session, (found.get(f"click:{click.id}") for click, _link in fact.lost))
    weights = {brand.id: brand.weights for brand in session.scalars(sa.select(Brand).where(Brand.id.in_(brands)))}
    earned = [
        entry_of(link, weights[link.brand_id], "human_click", key, click.at)
        for click, link in fact.gained
        if (key := _next_key(f"click:{click.id}", found))
    ]
    write(session, earned)


def on_share_unconfirmed(session: Session, fact: ShareUnconfirmed) -> None:
    """What the share gave is taken back."""
    _take_back(
        session, _last_earnings(session, {fact.link.brand_id}, "share_confirmed", [f"share:{fact.share.id}"]).values()
    )


def on_share_confirmed(session: Session, fact: ShareConfirmed) -> None:
    """A share is known to have happened; perhaps not for the first time, if the click that said so was no person's."""
    key = f"share:{fact.share.id}"
    found = _last_earnings(session, {fact.link.brand_id}, "share_confirmed", [key])
    if key_now := _next_key(key, found):
        brand = session.get_one(Brand, fact.link.brand_id)
        at = fact.share.confirmed_at or fact.share.opened_at
        write(session, [entry_of(fact.link, brand.weights, "share_confirmed", key_now, at)])


def _take_back(session: Session, earnings: Iterable[Earning | None]) -> None:
    write(session, [_reversal(found) for found in earnings if found is not None and found.stands])


def _reversal(found: Earning) -> dict[str, Any]:
    """Of what is set aside, the points are gone already: the entry only keeps it from coming back."""
    reversal = reversal_of(found.entry, TAKEN_BACK, found.entry.cause_key)
    return reversal | {"milli_points": 0} if found.is_set_aside else reversal


def _next_key(key: str, found: Mapping[str, Earning]) -> str | None:
    """The key under which this cause earns now; None if it has earned and that stands."""
    last = found.get(key)
    if last is None:
        return key
    return None if last.stands else _numbered(key, last.times + 1)


def next_key_after(key: str) -> str:
    """The key under which the cause of an entry earns the next time."""
    kind, number, *times = key.split(":")
    return _numbered(f"{kind}:{number}", int(times[0]) + 1 if times else 2)


def _numbered(key: str, times: int) -> str:
    return key if times == 1 else f"{key}:{times}"


def _last_earnings(session: Session, brands: Iterable[int], cause: str, keys: Iterable[str]) -> dict[str, Earning]:
    """Key -> its last earning, for those that have one. A query for each time the most corrected of them earned."""
    found: dict[str, Earning] = {}
    asked, times = set(keys), 0
    while asked:
        times += 1
        names = {_numbered(key, times): key for key in asked}
        mine = PointsEntry.brand_id.in_(brands), PointsEntry.cause_key.in_(names)
        entries = session.scalars(
            sa.select(PointsEntry).where(*mine, PointsEntry.cause.in_((cause, TAKEN_BACK, SET_ASIDE)))
        ).all()
        gone = {one.cause_key for one in entries if one.cause == TAKEN_BACK}
        aside = {one.cause_key for one in entries if one.cause == SET_ASIDE}
        for one in entries:
            if one.cause == cause:
                key = one.cause_key
                found[names[key]] = Earning(one, times, key not in gone, key in aside)
        asked = {names[one.cause_key] for one in entries if one.cause == cause and one.cause_key in gone | aside}
    return found
