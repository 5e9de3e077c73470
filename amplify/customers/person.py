"""The one map of what is kept about a person: where, how it is found, and what erasing leaves of it.

Tables of higher floors are named, not imported: foreign keys point down to the customer, so their rows are reached
along them. tests/customers/test_person.py fails when a table or a text column that belongs to a person is missing here.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.db import Base
from amplify.customers.models import Customer
from amplify.delivery.phones import is_phone
from amplify.delivery.services import cancel

# Table -> (its column, the table that column points to): the way from each row to the person.
WAYS: Mapping[str, tuple[str, str]] = {
    "consent_changes": ("customer_id", "customers"),
    "responses": ("customer_id", "customers"),
    "advocates": ("customer_id", "customers"),
    "share_links": ("advocate_id", "advocates"),
    "shares": ("link_id", "share_links"),
    "asks": ("advocate_id", "advocates"),
    "ask_refusals": ("response_id", "responses"),
    "points_entries": ("advocate_id", "advocates"),
    "pushes": ("advocate_id", "advocates"),
    "left_out": ("advocate_id", "advocates"),
    "milestones": ("advocate_id", "advocates"),
    "excluded": ("customer_id", "customers"),
    "risk_mailboxes": ("advocate_id", "advocates"),
    "risk_cases": ("advocate_id", "advocates"),
    "risk_decisions": ("case_id", "risk_cases"),
    "risk_appeals": ("case_id", "risk_cases"),
    "entry_appeals": ("advocate_id", "advocates"),
}
# What erasing writes over: table -> column -> what is left.
ERASED: Mapping[str, Mapping[str, Any]] = {
    "customers": {
        "external_id": None,
        "email": None,
        "email_normal": None,
        "phone": None,
        "name": "",
        "locale": None,
        "timezone": None,
        "consent": None,
        "consent_at": None,
        "consent_source": "",
        "sms_consent": None,
        "sms_consent_at": None,
        "sms_consent_source": "",
    },
    "consent_changes": {},
    "responses": {"comment": ""},
    "advocates": {"shown_name": None, "shown_name_at": None, "on_board": False},
    "share_links": {},
    "shares": {"text": "", "words_hash": ""},
    "asks": {},
    "ask_refusals": {},
    "messages": {"address": "", "person": "", "timezone": "", "context": {}},
    "endpoints": {"person": "erased", "sealed": "", "shown": ""},
    "wishes": {"unwanted": [], "wants_fewer": False},
    "points_entries": {},
    "pushes": {"sealed_claim": None},
    "left_out": {},
    "milestones": {},
    "excluded": {},
    "risk_mailboxes": {"mailbox": ""},
    "risk_cases": {},
    "risk_decisions": {},
    "risk_appeals": {"text": ""},
    "entry_appeals": {"text": "", "reason": ""},
}
# Text columns of those tables that stay: facts about the answer, the link or the money that do not say who it was.
KEPT: Mapping[str, tuple[str, ...]] = {
    "consent_changes": ("channel", "source"),
    "responses": (
        "source", "external_id", "body_hash", "employee_key", "touchpoint", "scale", "category", "locale",
    ),
    "advocates": ("pseudonym", "terms_version"),
    "share_links": ("code", "channel", "target_url", "locale"),
    "shares": ("state", "disclosure"),
    "asks": ("mode",),
    "ask_refusals": ("mode", "rule"),
    "messages": (
        "message_id", "channel", "template", "locale", "state", "reason", "release", "receipt", "receipt_note",
        "reference", "opened_by",
    ),
    "endpoints": ("channel", "target_hash", "ended_reason"),
    "wishes": ("person",),
    "points_entries": ("cause", "cause_key", "channel"),
    "pushes": (
        "channel", "locale", "code", "currency", "message_id", "provider_key", "state", "reason", "approved_by",
        "order_ref",
    ),
    "left_out": ("rule",),
    "milestones": ("state", "rule"),
    "risk_cases": ("subject", "kind", "day", "rushes", "reasons", "state"),
    "risk_decisions": ("state", "actor", "reason"),
    "risk_appeals": ("outcome",),
    "entry_appeals": ("subject", "verdict", "rule", "outcome", "answered_by"),
}  # fmt: skip
# Tables that lead to a person and hold nothing about them, and why.
ELSEWHERE: Mapping[str, str] = {
    "clicks": "requests of friends; the visitor is a hash whose salt is deleted after the day",
    "click_verdicts": "what a click was",
    "click_counts": "sums of them by link and hour",
    "first_clicks": "hashes of friends, deleted after a day",
    "recent_clicks": "hashes of friends, deleted after minutes",
    "corrections": "which clicks count otherwise than before, until that is in points_entries",
    "conversions": "orders of friends, under the shop's own id",
    "refunds": "the same",
    "order_claims": "the same",
    "friends": "friends who asked for a reward of their own: keyed hashes; what they got stands in pushes",
    "risk_touches": "who is to be scored again",
    "risk_hours": "counts of friends' clicks and orders",
    "risk_devices": "hashes whose salt is deleted after the day",
    "reward_codes": "the pool; who got which code stands in pushes",
    "standings": "sums of points_entries",
    "day_points": "the same, by day",
    "snapshot_rows": "sums of points_entries at a campaign's start",
}
# Kept in the same rows, but about others or of no meaning to the person.
# What a person is told of a check is on their "why" page; numbers and notes would teach how to stay below the measure.
NOT_EXPORTED = (
    "responses.employee_key", "responses.body_hash", "shares.words_hash", "advocates.token_epoch",
    "endpoints.sealed", "endpoints.target_hash", "messages.release", "pushes.sealed_claim", "pushes.approved_by",
    "risk_mailboxes.mailbox", "risk_cases.score", "risk_cases.reasons", "risk_cases.decided_score",
    "risk_decisions.score", "risk_decisions.reason", "risk_decisions.actor", "entry_appeals.answered_by",
)  # fmt: skip


def table(name: str) -> sa.Table:
    """The table of this name. Raises KeyError if its feature was not loaded: erasing must not forget one in silence."""
    return Base.metadata.tables[name]


def belongs(name: str, customer: Customer) -> sa.ColumnElement[bool]:
    """The condition that a row of this table belongs to the person."""
    if name == "customers":
        return table(name).c.id == customer.id
    if name == "messages":
        return _messages(customer)
    if name in ("endpoints", "wishes"):
        return sa.and_(table(name).c.brand_id == customer.brand_id, table(name).c.person == customer.person)
    column, target = WAYS[name]
    return table(name).c[column].in_(sa.select(table(target).c.id).where(belongs(target, customer)))


def _messages(customer: Customer) -> sa.ColumnElement[bool]:
    """Those an ask or a reward ordered, and any to the address; also to one the person had before."""
    messages, asks, pushes = table("messages").c, table("asks").c, table("pushes").c
    found: list[sa.ColumnElement[bool]] = [
        messages.id.in_(sa.select(asks.message_id).where(belongs("asks", customer), asks.message_id.is_not(None))),
        messages.message_id.in_(sa.select(pushes.message_id).where(belongs("pushes", customer))),
        messages.person == customer.person,
    ]
    if customer.email:
        found.append(sa.func.lower(messages.address) == customer.email.lower())
    if customer.phone:
        found.append(messages.address == customer.phone)
    return sa.and_(messages.brand_id == customer.brand_id, sa.or_(*found))


def export(session: Session, customer: Customer) -> dict[str, Any]:
    """{table: [{column: JSON value}]} of everything kept about the person; instants as ISO 8601."""
    found = {}
    for name in ERASED:
        columns = [c for c in table(name).c if f"{name}.{c.name}" not in NOT_EXPORTED]
        rows = session.execute(sa.select(*columns).where(belongs(name, customer)).order_by(columns[0]))
        found[name] = [{key: _plain(value) for key, value in row.items()} for row in rows.mappings()]
    return found


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def addresses(session: Session, customer: Customer) -> set[str]:
    """Every mail address and telephone number of this person that we know."""
    messages = table("messages").c
    used = session.scalars(sa.select(messages.address).where(belongs("messages", customer)).distinct())
    return {one for one in (customer.email, customer.phone, *used) if one and ("@" in one or is_phone(one))}


def forget(session: Session, customer: Customer) -> None:
    """Write over what ERASED names; mail that has not left is called back, and every personal link stops working."""
    messages, advocates = table("messages").c, table("advocates")
    ids = session.scalars(sa.select(messages.message_id).where(belongs("messages", customer))).all()
    cancel(session, customer.brand_id, ids, "erased")
    session.flush()
    revoke = {"token_epoch": advocates.c.token_epoch + 1}
    session.execute(sa.update(advocates).where(belongs("advocates", customer)).values(revoke))
    # The customer last: the others are found by what it holds.
    for name in sorted(ERASED, key=lambda name: name == "customers"):
        if ERASED[name]:
            session.execute(sa.update(table(name)).where(belongs(name, customer)).values(ERASED[name]))
    session.expire_all()
