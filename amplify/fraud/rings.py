"""Rings: advocates who buy through each other's links, round and round, and hardly anybody else does.

The referral graph has an edge from an advocate to each other advocate whose mailbox bought through their links. Friends
make trees of it, and pairs that bought through each other. A ring needs more: a circle is what can be reached from an
advocate and leads back, each way in few steps; it is a ring if it has three members and most orders of its members came
from among them. What is larger than LARGEST is a community, in which circles are chance.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.bulk import is_among
from amplify.fraud.models import RiskMailbox
from amplify.sharing.models import ShareLink
from amplify.tracking.models import Conversion

STEPS, LARGEST, MEMBERS = 6, 30, 3
# So much of its members' orders come from inside a ring.
INSIDE = 0.6


@dataclass
class Circle:
    """Whom an advocate is in a circle with (themselves among them), who bought mutually with them, whether it is a
    ring."""

    members: set[int] = field(default_factory=set)
    mutual: set[int] = field(default_factory=set)
    is_ring: bool = False


Graph = Mapping[int, Collection[int]]


def circle_of(session: Session, brand_id: int, advocate_id: int) -> Circle:
    """The circle of one advocate."""
    leads = _reach(session, brand_id, advocate_id, forward=True)
    followed = _reach(session, brand_id, advocate_id, forward=False)
    members = leads.keys() & followed.keys()
    mutual = set(leads[advocate_id]) & set(followed[advocate_id])
    circle = Circle(set(members), mutual)
    circle.is_ring = MEMBERS <= len(members) <= LARGEST and _inside(session, members) >= INSIDE
    return circle


def _reach(session: Session, brand_id: int, seed: int, *, forward: bool) -> Graph:
    """Everybody within STEPS, each with whom they led to (or followed), as far as it was asked."""
    found: dict[int, set[int]] = {seed: set()}
    edge = [seed]
    for _step in range(STEPS):
        near = _neighbours(session, brand_id, edge, forward=forward)
        for one, others in near.items():
            found[one] |= others
        edge = sorted({other for others in near.values() for other in others} - found.keys())
        found |= {one: set() for one in edge}
        if not edge or len(found) > LARGEST * 10:
            break
    return found


def _neighbours(session: Session, brand_id: int, of: list[int], *, forward: bool) -> dict[int, set[int]]:
    led, bought = ShareLink.advocate_id, RiskMailbox.advocate_id
    here, there = (led, bought) if forward else (bought, led)
    same = sa.and_(RiskMailbox.mailbox == Conversion.buyer, RiskMailbox.brand_id == Conversion.brand_id)
    edges = (
        sa.select(here, there)
        .select_from(Conversion)
        .join(ShareLink, ShareLink.id == Conversion.link_id)
        .join(RiskMailbox, same)
        .where(Conversion.brand_id == brand_id, Conversion.buyer != "", led != bought, is_among(session, here, of))
    )
    found: dict[int, set[int]] = defaultdict(set)
    for one, other in session.execute(edges.distinct()):
        found[one].add(other)
    return found


def _inside(session: Session, members: Collection[int]) -> float:
    """The part of the members' orders that other members made."""
    buyer = sa.orm.aliased(RiskMailbox)
    same = sa.and_(buyer.mailbox == Conversion.buyer, buyer.brand_id == Conversion.brand_id, Conversion.buyer != "")
    among = sa.and_(is_among(session, buyer.advocate_id, members), buyer.advocate_id != ShareLink.advocate_id)
    orders = (
        sa.select(sa.func.count(Conversion.id.distinct()), sa.func.count(sa.case((among, Conversion.id)).distinct()))
        .select_from(Conversion)
        .join(ShareLink, ShareLink.id == Conversion.link_id)
        .outerjoin(buyer, same)
        .where(is_among(session, ShareLink.advocate_id, members))
    )
    every, inside = session.execute(orders).one()
    return inside / every if every else 0.0
