"""Fills a database with what a redirect needs: one brand, one campaign, any number of links and of old clicks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core import partitions, schema, wal
from amplify.customers.models import Customer
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.models import Click

CODE = "hot"
TARGET = "http://localhost/landing"
TEXTS = {"en": {"headline": "A stay", "share_text": "I slept well.", "disclosure": "I may get a gift."}}
CHUNK = 20_000
# Clicks from before this year, and how many are stored in one transaction.
MONTHS = 12
AT_ONCE = 1_000_000
NAMES = "token, link_id, at, method, user_agent, referrer_host, language, country, visitor, purpose, gpc, is_own"
# `n` is the click's number, `s` its second since 1970. A token begins with its time, as ours do.
SQLITE_CLICKS = """INSERT INTO clicks ({names})
WITH RECURSIVE numbered(n) AS (SELECT :start UNION ALL SELECT n + 1 FROM numbered WHERE n + 1 < :end),
timed AS (SELECT n, :began + (n - :first) * :each AS s FROM numbered)
SELECT printf('%012x7%s', CAST(s * 1000 AS INTEGER), lower(substr(hex(randomblob(10)), 1, 19))), 1 + n % :links,
    strftime('%Y-%m-%d %H:%M:%f000', s, 'unixepoch'), 'GET',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15', '', 'en', '',
    printf('%032x', n), '', 0, 0 FROM timed"""
POSTGRES_CLICKS = """INSERT INTO clicks (id, {names})
SELECT :ids + 1 + n - :first,
    CAST(lpad(to_hex(CAST(s * 1000 AS bigint)), 12, '0') || '7' || substr(md5(CAST(n AS text)), 1, 19) AS uuid),
    1 + n % :links, to_timestamp(s), 'GET',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15', '', 'en', '',
    lpad(to_hex(n), 32, '0'), '', false, false
FROM (SELECT n, CAST(:began AS float8) + (n - :first) * CAST(:each AS float8) AS s
      FROM generate_series(CAST(:start AS bigint), CAST(:end AS bigint) - 1) AS n) AS timed"""


def engine_of(address: str) -> Engine:
    """An engine on a database address as the settings write it."""
    url = sa.make_url(address)
    return sa.create_engine(url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url)


def seed(address: str, links: int = 1, clicks: int = 0) -> None:
    """The link CODE, `links` - 1 others (CODE0, CODE1, ...), and `clicks` clicks of the months before.

    A database that is filled already is left as it is.
    """
    engine = engine_of(address)
    schema.upgrade(engine)
    with Session(engine) as session, session.begin():
        if session.scalar(sa.select(ShareLink.id).limit(1)) is not None:
            return
        first = _first_link(session)
        # One network each for their own channel: a link is unique by advocate, campaign and channel.
        facts = {
            "brand_id": first.brand_id, "advocate_id": first.advocate_id, "campaign_id": first.campaign_id,
            "target_url": TARGET,
        }  # fmt: skip
        _in_chunks(session, ShareLink, ({**facts, "code": f"{CODE}{n}", "channel": f"n{n}"} for n in range(links - 1)))
    _store_clicks(engine, clicks, links)
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


def _store_clicks(engine: Engine, number: int, links: int) -> None:
    """Spread over all links and MONTHS, by the database itself: fifty million rows are no work for Python."""
    on_sqlite, file = engine.dialect.name == "sqlite", wal.file_of(str(engine.url))
    made = sa.text((SQLITE_CLICKS if on_sqlite else POSTGRES_CLICKS).format(names=NAMES))
    for month in range(MONTHS):
        first, last = (number * each // MONTHS for each in (month, month + 1))
        began = datetime(2025, 1 + month, 1, tzinfo=UTC)
        for start in range(first, last, AT_ONCE):
            with engine.begin() as connection:
                partitions.make(connection, began)
                numbers = {"start": start, "end": min(start + AT_ONCE, last), "first": first, "links": links}
                times = {"began": int(began.timestamp()), "each": 28 * 86_400 / (last - first)}
                ids = {} if on_sqlite else {"ids": partitions.first_id(began)}
                connection.execute(made, numbers | times | ids)
            if file is not None:
                wal.checkpoint(file)


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
