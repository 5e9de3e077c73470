"""Fills a database with what a redirect needs: one brand, one campaign, any number of links and of old clicks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import schema
from amplify.core.tokens import uuid7
from amplify.customers.models import Customer
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.models import Click

CODE = "hot"
TARGET = "http://localhost/landing"
TEXTS = {"en": {"headline": "A stay", "share_text": "I slept well.", "disclosure": "I may get a gift."}}
CHUNK = 20_000


def engine_of(address: str) -> Engine:
    """An engine on a database address as the settings write it."""
    url = sa.make_url(address)
    return sa.create_engine(url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url)


def seed(address: str, links: int = 1, clicks: int = 0) -> None:
    """The link CODE, `links` - 1 others (CODE0, CODE1, ...), and `clicks` clicks that came before."""
    engine = engine_of(address)
    schema.upgrade(engine)
    with Session(engine) as session, session.begin():
        first = _first_link(session)
        # One network each for their own channel: a link is unique by advocate, campaign and channel.
        facts = {
            "brand_id": first.brand_id, "advocate_id": first.advocate_id, "campaign_id": first.campaign_id,
            "target_url": TARGET,
        }  # fmt: skip
        _in_chunks(session, ShareLink, ({**facts, "code": f"{CODE}{n}", "channel": f"n{n}"} for n in range(links - 1)))
        old = {"link_id": first.id, "method": "GET", "user_agent": "Old", "at": datetime(2026, 1, 1, tzinfo=UTC)}
        _in_chunks(session, Click, ({**old, "token": uuid7()} for _ in range(clicks)))
    engine.dispose()


def _first_link(session: Session) -> ShareLink:
    brand = Brand(slug="bench", name="Bench", target_hosts=["localhost"])
    session.add(brand)
    session.flush()
    campaign = Campaign(brand_id=brand.id, name="Bench", state="live", landing_url=TARGET, texts=TEXTS)
    customer = Customer(brand_id=brand.id, email="bench@example.org", name="Bench")
    session.add_all([campaign, customer])
    session.flush()
    advocate = Advocate(brand_id=brand.id, customer_id=customer.id, pseudonym="Amber Heron")
    session.add(advocate)
    session.flush()
    link = ShareLink(
        brand_id=brand.id, code=CODE, advocate_id=advocate.id, campaign_id=campaign.id, channel="x", target_url=TARGET
    )
    session.add(link)
    session.flush()
    return link


def _in_chunks(session: Session, model: Any, rows: Iterator[dict[str, Any]]) -> None:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            session.execute(sa.insert(model), chunk)
            chunk = []
    if chunk:
        session.execute(sa.insert(model), chunk)


def stored(address: str) -> int:
    """How many clicks are on disk."""
    engine = engine_of(address)
    with engine.connect() as connection:
        number = connection.scalar(sa.select(sa.func.count()).select_from(Click)) or 0
    engine.dispose()
    return number
