"""Who of a board an audience is chosen from: language, channel, how long they have been there, how lately they were
active. Each condition looks into an index by the advocate, so that a board is walked in its order and no further."""

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from amplify.brands.models import Brand
from amplify.core.i18n import LANGUAGES, best_language
from amplify.customers.models import Customer
from amplify.leaderboards.models import PointsEntry, Standing
from amplify.sharing.models import Advocate, Share, ShareLink


def in_segment(brand: Brand, audience: dict[str, Any]) -> list[sa.ColumnElement[bool]]:
    """What an audience asks of a standing's advocate; nothing: everybody belongs.

    `locale`: the language they are written to in. `channel`: a share of theirs there was confirmed by a person's click.
    `joined_since`: became an advocate on that day or later. `active_since`: something of theirs was worth points then.
    """
    zone = ZoneInfo(brand.timezone)
    made = (
        (audience.get("locale"), lambda said: _reads(said, best_language(brand.default_locale))),
        (audience.get("channel"), _shared_by),
        (audience.get("joined_since"), lambda said: _mine(Advocate.created_at >= _begin(said, zone))),
        (audience.get("active_since"), lambda said: _was_active(_begin(said, zone))),
    )
    return [condition(said) for said, condition in made if said]


def reads_in(column: Any, language: str) -> sa.ColumnElement[bool]:
    """Whether a language tag such as "es-MX" is of this language: what `best_language` says, in SQL."""
    tag = sa.func.lower(sa.func.coalesce(column, ""))
    return sa.or_(tag == language, sa.func.substr(tag, 1, len(language) + 1).in_([f"{language}-", f"{language}_"]))


def _reads(language: str, default: str) -> sa.ColumnElement[bool]:
    """Somebody whose language is unknown, or none of ours, is written to in the brand's."""
    if language != default:
        return _mine(reads_in(Customer.locale, language))
    return ~_mine(sa.or_(*(reads_in(Customer.locale, other) for other in LANGUAGES if other != default)))


def _mine(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    people = sa.select(Advocate.id).outerjoin(Customer, Customer.id == Advocate.customer_id)
    return people.where(Advocate.id == Standing.advocate_id, condition).correlate(Standing).exists()


def _shared_by(channel: str) -> sa.ColumnElement[bool]:
    shares = sa.select(Share.id).join(ShareLink, ShareLink.id == Share.link_id)
    there = ShareLink.advocate_id == Standing.advocate_id, ShareLink.channel == channel
    return shares.where(*there, Share.confirmed_at.is_not(None)).correlate(Standing).exists()


def _was_active(since: datetime) -> sa.ColumnElement[bool]:
    mine = PointsEntry.advocate_id == Standing.advocate_id, PointsEntry.occurred_at >= since
    return sa.select(PointsEntry.id).where(*mine, PointsEntry.milli_points > 0).correlate(Standing).exists()


def _begin(day: str, zone: ZoneInfo) -> datetime:
    """The instant at which a day begins there."""
    return datetime.combine(date.fromisoformat(day), time(), zone).astimezone(UTC)
