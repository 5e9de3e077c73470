"""When a message may leave: not at night, not too often for one person, not too many a minute.

Asked at the moment of sending. What must wait is put off, never dropped, and costs no attempt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from amplify.brands.models import Brand
from amplify.core.bulk import insert_ignore, is_among
from amplify.core.db import is_sqlite
from amplify.delivery.models import Message, Throttle, Wishes

# What `admit` asks of a message.
ASKED = (Message.id, Message.brand_id, Message.channel, Message.person, Message.is_marketing)
# Who wishes fewer mails gets one in this many days.
FEWER_DAYS = 30


@dataclass(frozen=True)
class Wait:
    """Not before `until`, by this rule: "quiet-hours", "frequency-cap" or "throttle"."""

    until: datetime
    rule: str


def quiet_until(brand: Brand, timezone: str | None, now: datetime) -> datetime | None:
    """The end of the quiet hours that reign in this time zone (else in the brand's); None if none reign.

    Quiet hours run from `quiet_from_hour` to `quiet_until_hour`, over midnight if the first is greater; equal: none.
    """
    local = now.astimezone(ZoneInfo(timezone or brand.timezone))
    start, end = brand.quiet_from_hour, brand.quiet_until_hour
    is_quiet = start <= local.hour < end if start < end else local.hour >= start or local.hour < end
    if start == end or not is_quiet:
        return None
    over = local.replace(hour=end % 24, minute=0, second=0, microsecond=0, fold=0)
    # Wall-clock arithmetic on purpose: eight in the morning stays eight on the nights when clocks change.
    return over if over > local else over + timedelta(days=1)


def asleep_until(brand: Brand, channel: str, timezone: str | None, now: datetime) -> datetime | None:
    """The same for a message by this channel: the brand's own program never sleeps."""
    return None if channel == "webhook" else quiet_until(brand, timezone, now)


def quiet(brand: Brand, message: Message, now: datetime) -> Wait | None:
    """Whether it is night where the reader is. A receipt is no marketing: it leaves at any hour."""
    until = asleep_until(brand, message.channel, message.timezone, now) if message.is_marketing else None
    return Wait(until.astimezone(UTC), "quiet-hours") if until else None


def is_counted(brand: Brand, message: Message) -> bool:
    """Whether `admit` must be asked: somebody counts, and it has not been counted yet."""
    return message.admitted_at is None and (_has_budget(message) or _per_minute(brand, message) > 0)


def admit(session: Session, brands: Mapping[int, Brand], messages: Sequence[Any], now: datetime) -> dict[int, Wait]:
    """Count these (rows of ASKED) against their people and channels, exactly: whoever else counts at once waits.

    Gives those that must wait, by id. Nobody may have two of them, and the caller has locked them in the order of ids.
    """
    budgeted = [message for message in messages if _has_budget(message)]
    _wait_for_turn(session, budgeted)
    waits: dict[int, Wait] = {}
    for brand_id, brand in brands.items():
        waits |= _too_often(session, brand, [message for message in budgeted if message.brand_id == brand_id], now)
    free = [message for message in messages if message.id not in waits]
    # One order of locks for everybody.
    for (brand_id, channel), group in groupby(sorted(free, key=_lane), key=_lane):
        if limit := int(brands[brand_id].per_minute.get(channel, 0)):
            waits |= _too_many(session, (brand_id, channel), list(group), limit, now)
    counted = is_among(session, Message.id, [message.id for message in messages if message.id not in waits])
    note = sa.update(Message).where(counted).values(admitted_at=now)
    session.execute(note.execution_options(synchronize_session=False))
    return waits


def _lane(message: Any) -> tuple[int, str]:
    return message.brand_id, message.channel


def _has_budget(message: Any) -> bool:
    return message.is_marketing and bool(message.person)


def _per_minute(brand: Brand, message: Message) -> int:
    return int(brand.per_minute.get(message.channel, 0))


def full_since(
    brand: Brand, person: Any, now: datetime, but: Any = None
) -> Sequence[tuple[sa.ScalarSelect[datetime | None], timedelta]]:
    """For each budget that can hold for this person (a text or a column): since when the oldest message counts that
    fills it (NULL: there is room), and how long it counts. `but`: the id of the message that asks, too."""
    wants_fewer = sa.exists().where(Wishes.brand_id == brand.id, Wishes.person == person, Wishes.wants_fewer)
    budgets: list[tuple[int, int, sa.ColumnElement[bool]]] = [(1, FEWER_DAYS, wants_fewer.correlate_except(Wishes))]
    if brand.cap_messages:
        budgets.append((brand.cap_messages, brand.cap_days, sa.true()))
    return [(_last_but(most, days, brand, person, now, but, holds), timedelta(days)) for most, days, holds in budgets]


def _last_but(
    most: int, days: int, brand: Brand, person: Any, now: datetime, but: Any, holds: sa.ColumnElement[bool]
) -> sa.ScalarSelect[datetime | None]:
    """When the `most`th newest of these days was counted."""
    counted = (
        sa.select(Message.admitted_at)
        .where(Message.brand_id == brand.id, Message.person == person, Message.admitted_at > now - timedelta(days))
        .where(Message.id != but if but is not None else sa.true(), holds)
        .order_by(Message.admitted_at.desc())
        .limit(1)
        .offset(most - 1)
    )
    return counted.correlate_except(Message).scalar_subquery()


def _too_often(session: Session, brand: Brand, messages: Sequence[Any], now: datetime) -> dict[int, Wait]:
    asking = aliased(Message)
    budgets = full_since(brand, asking.person, now, but=asking.id)
    mine = is_among(session, asking.id, [message.id for message in messages])
    rows = session.execute(sa.select(asking.id, *(at for at, _days in budgets)).where(mine)) if messages else ()
    waits = {}
    for message_id, *filled in rows:
        ends = [at + days for at, (_column, days) in zip(filled, budgets, strict=True) if at is not None]
        if ends:
            waits[message_id] = Wait(max(ends), "frequency-cap")
    return waits


def _too_many(
    session: Session, lane: tuple[int, str], messages: Sequence[Any], limit: int, now: datetime
) -> dict[int, Wait]:
    brand_id, channel = lane
    start = {"minute": 0, "used": 0, "ahead_minute": 0, "ahead_used": 0}
    insert_ignore(session, Throttle, [{"brand_id": brand_id, "channel": channel, **start}])
    own = Throttle.brand_id == brand_id, Throttle.channel == channel
    locked = sa.select(Throttle).where(*own).with_for_update().execution_options(populate_existing=True)
    throttle = session.scalars(locked).one()
    minute = int(now.timestamp()) // 60
    return {
        message.id: Wait(datetime.fromtimestamp(throttle.book(minute, limit) * 60, UTC), "throttle")
        for message in messages
        if not throttle.take(minute, limit)
    }


def _wait_for_turn(session: Session, messages: Sequence[Any]) -> None:
    """Two messages to one person at once must see each other. SQLite writes one at a time anyway."""
    if is_sqlite(session):
        return
    keys = sorted(f"contact:{message.brand_id}:{message.person}" for message in messages)
    key: Any = sa.func.unnest(sa.literal(keys, ARRAY(sa.Text))).column_valued("key")
    # In this order for everybody, so that two groups never wait for each other.
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(key, 0))))
