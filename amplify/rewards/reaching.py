"""Whom no way reaches, and by which rule, judged in the database for many: what `ways` says of one at sending."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.hashing import sha256_hex
from amplify.customers.models import Customer
from amplify.delivery.endpoints import WEBHOOK
from amplify.delivery.models import Endpoint, Suppression, Wishes
from amplify.rewards.ways import UNWANTED

PERSON = sa.literal("customer:") + sa.cast(Customer.id, sa.Text)
When = tuple[sa.ColumnElement[bool], str]


def in_the_way(session: Session, brand: Brand) -> list[When]:
    """Rules about the person, first the first: each holds only where no other way than mail reaches them."""
    elsewhere = _elsewhere(session, brand)
    about_mail = [
        (sa.func.coalesce(Customer.email, "") == "", "no-email"),
        (Customer.consent.is_not(True), "no-consent"),
        *_suppressed(session, brand.id),
        *_unwanted(session, brand),
    ]
    erased = sa.or_(Customer.id.is_(None), Customer.erased_at.is_not(None))
    return [(erased, "erased"), *((sa.and_(hit, sa.not_(elsewhere)), rule) for hit, rule in about_mail)]


def _suppressed(session: Session, brand_id: int) -> list[When]:
    ours = sa.select(Suppression.address_hash).where(Suppression.brand_id == brand_id)
    if session.scalar(ours.limit(1)) is None:  # then there is nothing to hash addresses for
        return []
    return [(sha256_hex(sa.literal(f"{brand_id}:") + Customer.email_normal).in_(ours), "suppressed")]


def _unwanted(session: Session, brand: Brand) -> list[When]:
    if "email" not in brand.channel_order:
        return [(sa.true(), UNWANTED)]
    return [(_refuses(brand, "email"), UNWANTED)] if _has_wishes(session, brand) else []


def _elsewhere(session: Session, brand: Brand) -> sa.ColumnElement[bool]:
    """Whether one of the brand's ways besides mail reaches the person, and they did not refuse it."""
    ours = Endpoint.brand_id == brand.id, Endpoint.ended_at.is_(None), Endpoint.sealed != ""
    channels = set(session.scalars(sa.select(Endpoint.channel).where(*ours).distinct()))
    ways: list[sa.ColumnElement[bool]] = [sa.false()]
    for channel in channels & set(brand.channel_order):
        if channel == WEBHOOK:
            ways.append(sa.and_(Customer.external_id.is_not(None), Customer.consent.is_(True)))
            continue
        theirs: list[Any] = [*ours, Endpoint.channel == channel, Endpoint.person == PERSON]
        reaches = sa.exists().where(*theirs).correlate(Customer)
        refuses = _refuses(brand, channel) if _has_wishes(session, brand) else sa.false()
        ways.append(sa.and_(reaches, sa.func.coalesce(Customer.consent, sa.true()), sa.not_(refuses)))
    return sa.or_(*ways)


def _has_wishes(session: Session, brand: Brand) -> bool:
    return session.scalar(sa.select(Wishes.id).where(Wishes.brand_id == brand.id).limit(1)) is not None


def _refuses(brand: Brand, channel: str) -> sa.ColumnElement[bool]:
    named = sa.cast(Wishes.unwanted, sa.Text).contains(f'"{channel}"')
    return sa.exists().where(Wishes.brand_id == brand.id, Wishes.person == PERSON, named).correlate(Customer)
