"""What makes points: each reaction writes one ledger entry, once per cause, in the transaction of its fact."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import clock
from amplify.core.bulk import insert_ignore
from amplify.core.db import enter_fence
from amplify.leaderboards.decided import RESTORED, undecided
from amplify.leaderboards.models import PointsEntry
from amplify.sharing.models import ShareLink
from amplify.tracking.events import ConversionRefunded, Converted, HumansClicked

FENCE = "points"
# Outcomes count toward rewards. An act of sharing is recognition only, whatever a brand may wish (product.md rule 2).
REWARD_ELIGIBLE = {"human_click": True, "conversion": True, "share_confirmed": False}


def on_human_clicks(session: Session, fact: HumansClicked) -> None:
    """People followed links."""
    brands = {link.brand_id for _click, link in fact.clicks}
    weights = {brand.id: brand.weights for brand in session.scalars(sa.select(Brand).where(Brand.id.in_(brands)))}
    earned = [
        entry_of(link, weights[link.brand_id], "human_click", f"click:{click.id}", click.at)
        for click, link in fact.clicks
    ]
    write(session, earned)


def on_converted(session: Session, fact: Converted) -> None:
    """A person who followed the link bought something."""
    _earn(session, fact.link, "conversion", f"conversion:{fact.conversion.id}", fact.conversion.occurred_at)


def on_refunded(session: Session, fact: ConversionRefunded) -> None:
    """The purchase was undone: its points are taken back by an entry of their own. Those that are set aside (they may
    have been before, and earned anew) are gone already; then the entry only keeps them from coming back."""
    key = f"conversion:{fact.conversion.id}"
    earned = session.scalars(
        sa.select(PointsEntry)
        .where(PointsEntry.brand_id == fact.link.brand_id)
        .where(PointsEntry.cause.in_(("conversion", RESTORED["conversion"])))
        .where(sa.or_(PointsEntry.cause_key == key, PointsEntry.cause_key.startswith(f"{key}:", autoescape=True)))
        .order_by(PointsEntry.id.desc())
    ).first()
    if earned is not None:
        reversal = reversal_of(earned, "refund", f"refund:{fact.refund.id}")
        is_gone = session.scalar(sa.select(sa.exists().where(PointsEntry.reverses_id == earned.id)))
        write(session, [reversal | {"milli_points": 0} if is_gone else reversal])


def _earn(session: Session, link: ShareLink, cause: str, key: str, at: datetime) -> None:
    brand = session.get_one(Brand, link.brand_id)
    write(session, [entry_of(link, brand.weights, cause, key, at)])


def entry_of(link: ShareLink, weights: Mapping[str, Any], cause: str, key: str, at: datetime) -> dict[str, Any]:
    """What a link earns by a cause."""
    return {
        "brand_id": link.brand_id,
        "advocate_id": link.advocate_id,
        "campaign_id": link.campaign_id,
        "business_line_id": link.business_line_id,
        "location_id": link.location_id,
        "link_id": link.id,
        "channel": link.channel,
        "cause": cause,
        "cause_key": key,
        "reverses_id": None,
        "milli_points": max(0, int(weights.get(cause, 0))),
        "is_reward_eligible": REWARD_ELIGIBLE[cause],
        "occurred_at": at,
    }


def reversal_of(earned: PointsEntry, cause: str, key: str) -> dict[str, Any]:
    """The same place, time and kind of points as what it takes back, with the opposite sign."""
    place = ("brand_id", "advocate_id", "campaign_id", "business_line_id", "location_id", "link_id", "channel")
    return {
        **{name: getattr(earned, name) for name in (*place, "is_reward_eligible", "occurred_at")},
        "cause": cause,
        "cause_key": key,
        "reverses_id": earned.id,
        "milli_points": -earned.milli_points,
    }


def write(session: Session, entries: Sequence[dict[str, Any]]) -> None:
    """Append entries, each cause once; what a person decided is left as they decided. The only place that appends."""
    enter_fence(session, FENCE)
    now = clock.now()
    insert_ignore(session, PointsEntry, [entry | {"recorded_at": now} for entry in undecided(session, entries)])
