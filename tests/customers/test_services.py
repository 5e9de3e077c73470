"""The same person is found again, what they agreed to is kept, and nobody gives a consent back for them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core.db import Base
from amplify.core.errors import Invalid
from amplify.customers.models import ConsentChange, Customer
from amplify.customers.services import agree_to_sms, anonymous, find_or_create, withdraw_consent
from tests.world import a_brand


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session)


def found(session: Session, brand: Brand, **said: Any) -> Customer:
    customer = find_or_create(session, brand, **{"consent_source": "api:k", **said})
    assert customer is not None
    return customer


def test_without_any_contact_there_is_nobody(session: Session, brand: Brand) -> None:
    assert find_or_create(session, brand, name="Ana", locale="es") is None
    assert find_or_create(session, brand, external_id=" ", email="") is None


def test_the_external_id_finds_the_person_and_news_replaces_what_was_known(session: Session, brand: Brand) -> None:
    ana = found(session, brand, external_id="c-1", email="ana@friends.example", name="Ana", locale="es-MX")
    again = found(session, brand, external_id="c-1", email="Ana.New@friends.example", timezone="Europe/Madrid")
    assert again is ana
    assert (ana.name, ana.locale, ana.timezone) == ("Ana", "es", "Europe/Madrid")
    assert (ana.email, ana.email_normal) == ("Ana.New@friends.example", "ana.new@friends.example")


def test_the_mailbox_finds_the_person_and_an_id_that_comes_later_is_kept(session: Session, brand: Brand) -> None:
    ana = found(session, brand, email="Ana.Perez@gmail.com")
    assert found(session, brand, external_id="c-1", email="anaperez+shop@googlemail.com") is ana
    assert ana.external_id == "c-1"
    assert found(session, brand, external_id="c-1") is ana


def test_two_ids_on_one_mailbox_are_two_people(session: Session, brand: Brand) -> None:
    ana = found(session, brand, external_id="c-1", email="family@friends.example")
    ben = found(session, brand, external_id="c-2", email="family@friends.example")
    assert ana is not ben
    assert found(session, brand, email="family@friends.example") is ana  # the one known for longer


def test_another_brand_knows_somebody_else(session: Session, brand: Brand) -> None:
    assert found(session, brand, external_id="c-1") is not found(session, a_brand(session, "other"), external_id="c-1")


def test_the_anonymous_have_no_contact_and_are_never_the_same(session: Session, brand: Brand) -> None:
    one, two = anonymous(session, brand, "es-ES"), anonymous(session, brand, "fr")
    assert one.id != two.id
    assert (one.email, one.locale, two.locale) == (None, "es", "en")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, "email"),
        ({"external_id": "x" * 201}, "external_id"),
        ({"external_id": "a\x00b"}, "external_id"),
        ({"external_id": "1", "name": "Ana\nBen"}, "name"),
        ({"external_id": "1", "name": "\ud800"}, "name"),
        ({"external_id": "1", "timezone": "Mars/Olympus"}, "timezone"),
        ({"external_id": "1", "timezone": "../../etc/passwd"}, "timezone"),
        ({"external_id": "1", "timezone": "America"}, "timezone"),
    ],
)
def test_what_cannot_be_is_refused_by_field(session: Session, brand: Brand, said: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        find_or_create(session, brand, **said)  # type: ignore[arg-type]
    assert refused.value.field == field
    assert session.scalar(sa.select(sa.func.count()).select_from(Customer)) == 0


def test_each_change_of_consent_is_recorded_with_its_source(session: Session, brand: Brand) -> None:
    ana = found(session, brand, external_id="c-1", consent=True, consent_source="signed:shop")
    found(session, brand, external_id="c-1", consent=True, consent_source="api:k")  # nothing new
    found(session, brand, external_id="c-1")  # says nothing
    withdraw_consent(session, ana)
    rows = session.execute(sa.select(ConsentChange.consent, ConsentChange.source).order_by(ConsentChange.id)).all()
    assert [tuple(row) for row in rows] == [(True, "signed:shop"), (False, "unsubscribed")]
    assert (ana.consent, ana.consent_source) == (False, "unsubscribed")
    assert ana.consent_at is not None


@pytest.mark.parametrize("source", ["import:2026", "api:k", "signed:shop", ""])
def test_nobody_else_gives_back_a_consent_that_was_withdrawn(session: Session, brand: Brand, source: str) -> None:
    ana = found(session, brand, external_id="c-1", consent=False)
    found(session, brand, external_id="c-1", consent=True, consent_source=source)
    assert ana.consent is False


def test_the_person_gives_it_back_on_our_own_page(session: Session, brand: Brand) -> None:
    ana = found(session, brand, external_id="c-1", consent=False)
    found(session, brand, external_id="c-1", consent=True, consent_source="hosted:visit")
    assert (ana.consent, ana.consent_source) == (True, "hosted:visit")


@pytest.mark.parametrize("said", [{"external_id": "c-1"}, {"email": "ana@friends.example"}])
def test_answers_at_once_make_one_person(new_database: Callable[[], str], said: dict[str, str]) -> None:
    engine = sa.create_engine(new_database().replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        brand_id = a_brand(session).id
        session.commit()

    def answer(_n: int) -> int:
        with Session(engine) as session:
            customer = found(session, session.get_one(Brand, brand_id), **said)
            session.commit()
            return customer.id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(answer, range(18)))) == 1
    engine.dispose()


def test_a_number_is_kept_in_one_form_and_never_finds_anybody(session: Session, brand: Brand) -> None:
    ana = found(session, brand, external_id="c-1", phone="+34 600 12 34 56")
    ben = found(session, brand, external_id="c-2", phone="0034600123456".replace("00", "+", 1))
    assert ana is not ben
    assert (ana.phone, ben.phone) == ("+34600123456", "+34600123456")
    assert find_or_create(session, brand, phone="+34600123456") is None
    with pytest.raises(Invalid) as refused:
        found(session, brand, external_id="c-1", phone="600123456")
    assert (refused.value.field, refused.value.rule) == ("phone", "phone")


def test_a_yes_to_text_messages_is_a_consent_of_its_own(session: Session, brand: Brand) -> None:
    ana = found(session, brand, external_id="c-1", consent=True, sms_consent=False, consent_source="hosted:s")
    found(session, brand, external_id="c-1", sms_consent=True)  # a file does not give it back
    assert (ana.consent, ana.sms_consent, ana.sms_consent_source) == (True, False, "hosted:s")
    agree_to_sms(session, ana, True, "sms:start")  # their own telephone does
    withdraw_consent(session, ana)
    assert (ana.consent, ana.sms_consent) == (False, True)
    rows = session.execute(sa.select(ConsentChange.channel, ConsentChange.consent).order_by(ConsentChange.id))
    assert [tuple(row) for row in rows] == [("", True), ("sms", False), ("sms", True), ("", False)]
