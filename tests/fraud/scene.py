"""Clicks and orders that look like misuse, or do not."""

from datetime import timedelta
from itertools import count

import sqlalchemy as sa

from amplify.core.web import amplify
from amplify.fraud.models import RiskCase, RiskTouch
from amplify.fraud.scoring import assess
from amplify.leaderboards.services import project
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.buyers import key_of
from amplify.tracking.conversions import record_conversion
from amplify.tracking.models import Conversion
from amplify.tracking.schemas import ConversionIn
from amplify.tracking.services import track
from tests.tracking.world import NOON, World, click

_orders = count(1)


def catch_up(world: World, limit: int = 500) -> None:
    """The worker's rounds until there is nothing left to do."""
    session = world.session
    while track(session, limit) + assess(session, limit) + project(session, limit):
        pass


def visits(world: World, link: ShareLink, n: int, *, ago: timedelta = timedelta(), first: int = 1) -> None:
    """So many visitors on a link, a second apart."""
    for visitor in range(first, first + n):
        click(world, link, visitor=visitor, later=-ago + timedelta(seconds=visitor - first))


def buy(
    world: World, link: ShareLink, buyer: str | None = None, *, visitor: int | None = None, ago: timedelta = timedelta()
) -> Conversion:
    """An order by this address after a visit of its own."""
    number = next(_orders)
    visit = click(world, link, visitor=visitor or 300 + number, later=-ago)
    while track(world.session, 500):
        pass
    told = ConversionIn(
        order_id=f"O-{number}", amount_minor=1000, currency="EUR", occurred_at=NOON - ago, click_id=visit.token,
        buyer_email=buyer,
    )  # fmt: skip
    key = key_of(amplify().settings.secret, world.brand.id, buyer)
    return record_conversion(world.session, world.brand.id, told, window_days=90, buyer=key)[0]


def mail_of(advocate: Advocate) -> str:
    """The address of an advocate."""
    assert advocate.customer is not None
    assert advocate.customer.email is not None
    return advocate.customer.email


def cases(world: World, advocate: Advocate | None = None) -> dict[str, RiskCase]:
    """Subject -> case, of one advocate or of all."""
    found = sa.select(RiskCase).where(RiskCase.brand_id == world.brand.id)
    if advocate is not None:
        found = found.where(RiskCase.advocate_id == advocate.id)
    rows = world.session.scalars(found.order_by(RiskCase.id), execution_options={"populate_existing": True})
    return {case.subject: case for case in rows}


def rules_of(case: RiskCase) -> set[str]:
    """Which rules speak in a case."""
    return {reason["rule"] for reason in case.reasons}


def waiting(world: World) -> int:
    """How many touches wait for the worker."""
    return world.session.scalar(sa.select(sa.func.count(RiskTouch.id))) or 0
