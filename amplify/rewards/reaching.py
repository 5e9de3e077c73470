"""Which way reaches whom, or by which rule none does: judged in the database, for dry run, plan and each send."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.hashing import sha256_hex
from amplify.customers.models import Customer
from amplify.delivery.endpoints import WEBHOOK
from amplify.delivery.models import Endpoint, Suppression, Wishes

UNWANTED = "unwanted"
MAIL = "email"
SMS = "sms"
PERSON = sa.literal("customer:") + sa.cast(Customer.id, sa.Text)
Condition = sa.ColumnElement[bool]
When = tuple[Condition, str]


def in_the_way(session: Session, brand: Brand) -> list[When]:
    """Rules about the person, first the first: each holds only where no other way than mail reaches them."""
    elsewhere = sa.or_(sa.false(), *_elsewhere(session, brand).values())
    erased = sa.or_(Customer.id.is_(None), Customer.erased_at.is_not(None))
    about_mail = _about_mail(session, brand)
    return [(erased, "erased"), *((sa.and_(hit, sa.not_(elsewhere)), rule) for hit, rule in about_mail)]


def channel(session: Session, brand: Brand) -> sa.ColumnElement[str]:
    """The first of the brand's ways that reaches the person and that they did not refuse.

    Only of people with nothing `in_the_way`: some way reaches them, so the last one is not asked about.
    """
    elsewhere = _elsewhere(session, brand)
    open_ways = [way for way in brand.channel_order if way == MAIL or way in elsewhere]
    if len(open_ways) < 2:
        return sa.literal(open_ways[0] if open_ways else MAIL)
    hits = sa.or_(*(hit for hit, _rule in _about_mail(session, brand))) if MAIL in open_ways else sa.false()
    by_mail = sa.not_(sa.func.coalesce(hits, sa.false()))
    *others, last = open_ways
    return sa.case(*((by_mail if way == MAIL else elsewhere[way], way) for way in others), else_=last)


def address(brand: Brand, by: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """Where that way leads to: the mail address, or the newest open endpoint of the person or of the brand."""
    theirs = Endpoint.person == sa.case((by == WEBHOOK, ""), else_=PERSON)
    newest = sa.select(sa.func.max(Endpoint.id)).where(*_open(brand), Endpoint.channel == by, theirs)
    number = newest.correlate(Customer).scalar_subquery()
    return sa.case(
        (by == MAIL, Customer.email),
        (by == SMS, Customer.phone),
        else_=sa.literal("endpoint:") + sa.cast(number, sa.Text),
    )


def _about_mail(session: Session, brand: Brand) -> list[When]:
    return [
        (sa.func.coalesce(Customer.email, "") == "", "no-email"),
        (Customer.consent.is_not(True), "no-consent"),
        *_suppressed(session, brand.id, Customer.email_normal),
        *_unwanted(session, brand),
    ]


def _suppressed(session: Session, brand_id: int, address: Any) -> list[When]:
    ours = sa.select(Suppression.address_hash).where(Suppression.brand_id == brand_id)
    if session.scalar(ours.limit(1)) is None:  # then there is nothing to hash addresses for
        return []
    return [(sha256_hex(sa.literal(f"{brand_id}:") + address).in_(ours), "suppressed")]


def _unwanted(session: Session, brand: Brand) -> list[When]:
    if MAIL not in brand.channel_order:
        return [(sa.true(), UNWANTED)]
    return [(_refuses(brand, MAIL), UNWANTED)] if _has_wishes(session, brand) else []


def _elsewhere(session: Session, brand: Brand) -> dict[str, Condition]:
    """The brand's ways besides mail that reach anybody: whether they reach this person, who did not refuse them."""
    there_are = set(session.scalars(sa.select(Endpoint.channel).where(*_open(brand)).distinct()))
    ways: dict[str, Condition] = {}
    for way in brand.channel_order:
        if way == SMS:
            ways[way] = _by_sms(session, brand)
            continue
        if way not in there_are:
            continue
        if way == WEBHOOK:
            known = sa.func.coalesce(Customer.external_id, "") != ""
            ways[way] = sa.and_(known, Customer.consent.is_(True))
            continue
        reaches = sa.exists().where(*_open(brand), Endpoint.channel == way, Endpoint.person == PERSON)
        refuses = _refuses(brand, way) if _has_wishes(session, brand) else sa.false()
        # Subscribing was a consent of its own, until they say no to everything.
        may = sa.func.coalesce(Customer.consent, sa.true())
        ways[way] = sa.and_(reaches.correlate(Customer), may, sa.not_(refuses))
    return ways


def _by_sms(session: Session, brand: Brand) -> Condition:
    """A number, a yes to text messages, and no "no": to everything, to this way, or from that telephone."""
    yes = sa.and_(Customer.sms_consent.is_(True), sa.func.coalesce(Customer.consent, sa.true()))
    no = [hit for hit, _rule in _suppressed(session, brand.id, Customer.phone)]
    if _has_wishes(session, brand):
        no.append(_refuses(brand, SMS))
    return sa.and_(sa.func.coalesce(Customer.phone, "") != "", yes, *(sa.not_(hit) for hit in no))


def _open(brand: Brand) -> tuple[Any, ...]:
    return Endpoint.brand_id == brand.id, Endpoint.ended_at.is_(None), Endpoint.sealed != ""


def _has_wishes(session: Session, brand: Brand) -> bool:
    return session.scalar(sa.select(Wishes.id).where(Wishes.brand_id == brand.id).limit(1)) is not None


def _refuses(brand: Brand, way: str) -> Condition:
    named = sa.cast(Wishes.unwanted, sa.Text).contains(f'"{way}"')
    return sa.exists().where(Wishes.brand_id == brand.id, Wishes.person == PERSON, named).correlate(Customer)
