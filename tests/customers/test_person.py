"""Giving out and forgetting a person: nothing of theirs is missed, and what is owed still adds up."""

import json

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.asks.models import Ask
from amplify.brands.models import Brand
from amplify.core.db import Base
from amplify.core.errors import Gone
from amplify.customers import person
from amplify.customers.services import erase, export_person, find_or_create
from amplify.delivery.models import Message
from amplify.delivery.services import is_suppressed, queue_message
from amplify.sharing.models import Share, ShareLink
from amplify.sharing.services import link_for, open_share, show_name
from amplify.sharing.tokens import Visit, read_token
from tests.sharing.making import SIGNER, a_live_brand, a_visit, token_of

SECRETS = ("ana-canary", "+34600123456", "Ana Canary", "canary words", "c-canary", "canary post")


@pytest.fixture
def visit(session: Session) -> Visit:
    """Somebody with an answer, a shown name, a shared post, a mail that waits and one that was sent."""
    brand = a_live_brand(session)
    who = {"external_id": "c-canary", "email": "ana-canary@friends.example", "name": "Ana Canary", "consent": True}
    who |= {"phone": "+34600123456", "sms_consent": True}
    visit = a_visit(session, brand, "canary words", customer=who)
    link = link_for(session, brand, visit.advocate, visit.campaign, "x", locale="en")
    open_share(session, link, "canary post", visit.response)
    show_name(session, visit.advocate, "Ana Canary")
    for state in ("waiting", "sent"):
        context = {"name": "Ana Canary", "quote": "canary words"}
        mail = queue_message(
            session, brand, template="ask", address="Ana-Canary@friends.example", locale="en", context=context
        )
        mail.state = state
    session.flush()
    return visit


def everything(session: Session) -> str:
    """The whole database as text."""
    tables = Base.metadata.sorted_tables
    return "\n".join(f"{table.name}: {row}" for table in tables for row in session.execute(sa.select(table)))


def leads_to_a_person(table: sa.Table, seen: frozenset[str] = frozenset()) -> bool:
    targets = {key.column.table for key in table.foreign_keys}
    return any(
        target.name == "customers" or (target.name not in seen and leads_to_a_person(target, seen | {target.name}))
        for target in targets
    )


def test_the_map_names_every_table_that_leads_to_a_person(session: Session) -> None:
    reached = {table.name for table in Base.metadata.tables.values() if leads_to_a_person(table)}
    mapped = set(person.ERASED) | set(person.ELSEWHERE)
    assert reached - mapped == set()
    by_no_key = {"clicks", "click_verdicts", "click_counts", "first_clicks", "recent_clicks"}  # decision 9
    assert mapped - reached == {"customers", "messages", "endpoints", "wishes"} | by_no_key


def test_the_map_says_of_every_text_whether_it_stays(session: Session) -> None:
    for name, erased in person.ERASED.items():
        texts = {c.name for c in person.table(name).c if isinstance(c.type, sa.String | sa.JSON | sa.Text)}
        said = set(erased) | set(person.KEPT.get(name, ()))
        assert texts - said == set(), f"{name}: say in customers/person.py what erasing does with these"
        assert said - set(person.table(name).c.keys()) == set()


def test_an_export_holds_everything_about_the_person_as_json(session: Session, visit: Visit) -> None:
    customer = visit.advocate.customer
    assert customer is not None
    other = find_or_create(
        session, session.get_one(type(a_brand_of(session, visit)), customer.brand_id), email="o@x.example"
    )
    assert other is not None
    told = json.dumps(export_person(session, customer))
    assert all(secret in told for secret in SECRETS)
    assert "o@x.example" not in told
    known = export_person(session, customer)
    assert len(known["messages"]) == 2
    assert len(known["consent_changes"]) == 2


def a_brand_of(session: Session, visit: Visit) -> Brand:
    return session.get_one(Brand, visit.advocate.brand_id)


def test_erasing_leaves_no_trace_of_who_it_was(session: Session, visit: Visit) -> None:
    customer, token = visit.advocate.customer, token_of(visit)
    assert customer is not None
    assert all(secret.lower() in everything(session).lower() for secret in SECRETS)
    erase(session, customer, "user:1")
    left = everything(session).lower()
    assert [secret for secret in SECRETS if secret.lower() in left] == []
    with pytest.raises(Gone):
        read_token(session, SIGNER, token)
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "customer.erased")).one()
    assert entry.subject_id == str(customer.id)


def test_erasing_keeps_links_points_and_rewards_without_a_name(session: Session, visit: Visit) -> None:
    customer, pseudonym = visit.advocate.customer, visit.advocate.pseudonym
    assert customer is not None
    erase(session, customer, "user:1")
    session.refresh(visit.advocate)
    assert (visit.advocate.public_name, visit.advocate.on_board) == (pseudonym, False)
    assert session.scalar(sa.select(sa.func.count()).select_from(ShareLink)) == 1
    share = session.scalars(sa.select(Share)).one()
    assert (share.state, share.text) == ("opened", "")
    assert session.scalar(sa.select(sa.func.count()).select_from(Ask)) == 1
    assert visit.response is not None
    session.refresh(visit.response)
    assert (visit.response.given, visit.response.comment) == (10, "")


def test_the_erased_stay_suppressed_and_mail_on_its_way_is_called_back(session: Session, visit: Visit) -> None:
    customer = visit.advocate.customer
    assert customer is not None
    erase(session, customer, "user:1")
    assert is_suppressed(session, customer.brand_id, "ana-canary@friends.example")
    assert is_suppressed(session, customer.brand_id, "+34600123456")
    states = session.scalars(sa.select(Message.state).order_by(Message.id)).all()
    assert list(states) == ["cancelled", "sent"]
    erase(session, customer, "user:1")  # twice changes nothing
    assert session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) == 1


def test_who_comes_back_after_being_erased_is_somebody_new(session: Session, visit: Visit) -> None:
    customer = visit.advocate.customer
    assert customer is not None
    erase(session, customer, "user:1")
    brand = a_brand_of(session, visit)
    again = find_or_create(session, brand, external_id="c-canary", email="ana-canary@friends.example")
    assert again is not None
    assert again.id != customer.id


def test_nobody_else_is_touched(session: Session, visit: Visit) -> None:
    brand = a_brand_of(session, visit)
    ben = a_visit(session, brand, "Ben's words", external_id="a-2", customer={"email": "ben@friends.example"})
    customer = visit.advocate.customer
    assert customer is not None
    erase(session, customer, "user:1")
    assert ben.response is not None
    session.refresh(ben.response)
    assert ben.response.comment == "Ben's words"
    assert ben.advocate.customer is not None
    assert ben.advocate.customer.email == "ben@friends.example"
