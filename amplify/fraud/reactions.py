"""What fraud does about others' facts: it notes who has to be looked at again; the worker looks."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.events import RiskPolicyChanged
from amplify.core.events import publish
from amplify.fraud.counting import hour_of
from amplify.fraud.events import HoldsChanged
from amplify.fraud.models import RiskCase, RiskTouch
from amplify.fraud.states import follow_thresholds
from amplify.sharing.models import ShareLink
from amplify.tracking.events import ClicksReclassified, ConversionRefunded, Converted, HumansClicked, OrderClaimed
from amplify.tracking.models import ClickFacts


def on_human_clicks(session: Session, fact: HumansClicked) -> None:
    """People followed links."""
    _touch(session, Counter(_places(fact.clicks)))


def on_clicks_reclassified(session: Session, fact: ClicksReclassified) -> None:
    """Some were people's after all, some were not."""
    changes = Counter(_places(fact.gained))
    changes.subtract(Counter(_places(fact.lost)))
    _touch(session, changes)


def on_converted(session: Session, fact: Converted) -> None:
    """An order followed a link."""
    link, hour = fact.link, hour_of(fact.conversion.occurred_at)
    session.add(RiskTouch(brand_id=link.brand_id, advocate_id=link.advocate_id, hour=hour, orders=1))


def on_refunded(session: Session, fact: ConversionRefunded) -> None:
    """An order was undone."""
    _look_again(session, fact.link, fact.conversion.occurred_at)


def on_order_claimed(session: Session, fact: OrderClaimed) -> None:
    """Two advocates' clicks were named for one order: both are looked at."""
    _look_again(session, fact.link, fact.conversion.occurred_at)
    if fact.conversion.link_id is not None:
        _look_again(session, session.get_one(ShareLink, fact.conversion.link_id), fact.conversion.occurred_at)


def on_risk_policy_changed(session: Session, fact: RiskPolicyChanged) -> None:
    """The brand's thresholds are others: what no person has decided follows them."""
    undecided = sa.select(RiskCase).where(RiskCase.brand_id == fact.brand.id, RiskCase.decided_score.is_(None))
    cases = session.scalars(undecided.order_by(RiskCase.id)).all()
    changed = {case.advocate_id for case in cases if follow_thresholds(session, case, fact.brand)}
    if changed:
        session.flush()
        publish(session, HoldsChanged(changed))


def _places(clicks: Iterable[tuple[ClickFacts, ShareLink]]) -> Iterable[tuple[int, int, datetime]]:
    return ((link.brand_id, link.advocate_id, hour_of(click.at)) for click, link in clicks)


def _touch(session: Session, counted: "Counter[tuple[int, int, datetime]]") -> None:
    rows = [
        {"brand_id": brand_id, "advocate_id": advocate_id, "hour": hour, "clicks": n}
        for (brand_id, advocate_id, hour), n in counted.items()
    ]
    if rows:
        session.execute(sa.insert(RiskTouch), rows)


def _look_again(session: Session, link: ShareLink, at: datetime) -> None:
    session.add(RiskTouch(brand_id=link.brand_id, advocate_id=link.advocate_id, hour=hour_of(at)))
