"""An answer is stored once, whatever repeats it, and a later edit is a new revision."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.brands.models import Brand, BusinessLine, Location
from amplify.core import clock, events
from amplify.core.errors import Conflict
from amplify.customers.models import Customer
from amplify.surveys.events import SurveyAnswered
from amplify.surveys.models import Response
from amplify.surveys.services import record_edit, record_response
from tests.surveys.conftest import an_answer

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _n(session: Session, model: Any) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_an_answer_is_stored_with_everything_it_carries(session: Session, brand: Brand) -> None:
    said = an_answer(
        scale="csat5",
        given=5,
        comment="  Quick!\r\nAnd kind. ",
        customer={"external_id": "c-7", "email": "Ana@shop.example", "name": "Ana", "locale": "es", "consent": True},
        business_line="Café & Bar",
        location="Gran Vía",
        employee_key="e-3",
        touchpoint="checkout",
        answered_at=NOON,
        locale="es-MX",
    )
    stored = record_response(session, brand, said).response
    session.flush()
    session.expire_all()
    assert (stored.scale, stored.given, stored.score, stored.category) == ("csat5", 5, 10.0, "promoter")
    assert (stored.comment, stored.locale, stored.answered_at) == ("Quick!\nAnd kind.", "es", NOON)
    assert (stored.employee_key, stored.touchpoint) == ("e-3", "checkout")
    assert stored.customer is not None
    assert (stored.customer.email, stored.customer.consent) == ("Ana@shop.example", True)
    assert stored.customer.consent_source == "signed:shop"
    assert stored.business_line is not None
    assert (stored.business_line.key, stored.business_line.name) == ("cafe-bar", "Café & Bar")
    assert stored.location is not None
    assert stored.location.name == "Gran Vía"


@pytest.mark.parametrize(
    ("scale", "given", "score", "category"),
    [
        ("nps", 10, 10.0, "promoter"),
        ("nps", 9, 9.0, "promoter"),
        ("nps", 8, 8.0, "passive"),
        ("nps", 7, 7.0, "passive"),
        ("nps", 6, 6.0, "detractor"),
        ("nps", 0, 0.0, "detractor"),
        ("csat5", 5, 10.0, "promoter"),
        ("csat5", 4, 7.5, "passive"),
        ("csat5", 3, 5.0, "detractor"),
        ("csat7", 7, 10.0, "promoter"),
        ("csat7", 6, 8.33, "passive"),
        ("csat7", 5, 6.67, "passive"),
        ("csat7", 1, 0.0, "detractor"),
    ],
)
def test_scores_are_normalised_and_sorted_by_the_thresholds(
    session: Session, brand: Brand, scale: str, given: int, score: float, category: str
) -> None:
    stored = record_response(session, brand, an_answer(scale=scale, given=given)).response
    assert (stored.score, stored.category) == (score, category)


def test_the_thresholds_are_the_brands_own(session: Session, brand: Brand) -> None:
    brand.promoter_min, brand.detractor_max = 8.0, 4.0
    assert record_response(session, brand, an_answer(given=8)).response.category == "promoter"
    assert record_response(session, brand, an_answer(external_id="2", given=5)).response.category == "passive"


def test_the_same_answer_again_changes_nothing(session: Session, brand: Brand, heard: list[SurveyAnswered]) -> None:
    first = record_response(session, brand, an_answer(comment="Good", customer={"email": "a@shop.example"}))
    again = record_response(session, brand, an_answer(comment="Good", customer={"email": "a@shop.example"}))
    assert (first.is_new, again.is_new) == (True, False)
    assert again.response is first.response
    assert (_n(session, Response), _n(session, Customer), len(heard)) == (1, 1, 1)


def test_a_value_left_out_and_its_default_are_the_same_answer(session: Session, brand: Brand) -> None:
    record_response(session, brand, an_answer())
    assert not record_response(session, brand, an_answer(comment="", scale="nps", customer={})).is_new


def test_the_same_instant_in_another_zone_is_the_same_answer(session: Session, brand: Brand) -> None:
    record_response(session, brand, an_answer(answered_at=NOON))
    there = datetime.fromisoformat("2026-03-01T14:00:00+02:00")
    assert not record_response(session, brand, an_answer(answered_at=there)).is_new


def test_the_same_id_with_other_content_is_refused_and_logged(
    session: Session, brand: Brand, heard: list[SurveyAnswered]
) -> None:
    first = record_response(session, brand, an_answer(comment="Good")).response
    with pytest.raises(Conflict) as refused:
        record_response(session, brand, an_answer(comment="Bad", business_line="New line"))
    assert (refused.value.field, refused.value.rule) == ("external_id", "same-id-other-content")
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "response.conflicted")).one()
    assert (entry.actor, entry.subject_id) == ("signed:shop", str(first.id))
    assert "Bad" not in str(entry.detail)
    assert (_n(session, Response), _n(session, BusinessLine), len(heard)) == (1, 0, 1)


def test_a_higher_revision_is_a_new_row_and_the_old_one_stays(
    session: Session, brand: Brand, heard: list[SurveyAnswered]
) -> None:
    old = record_response(session, brand, an_answer(given=3)).response
    new = record_response(session, brand, an_answer(given=9, revision=2))
    assert new.is_new
    assert (old.given, old.superseded_at is not None) == (3, True)
    assert new.response.superseded_at is None
    assert [fact.response.revision for fact in heard] == [1, 2]


def test_a_revision_that_comes_late_is_known(session: Session, brand: Brand, heard: list[SurveyAnswered]) -> None:
    latest = record_response(session, brand, an_answer(given=9, revision=3)).response
    late = record_response(session, brand, an_answer(given=3, revision=2))
    assert not late.is_new
    assert late.response is latest
    assert latest.superseded_at is None
    assert len(heard) == 1


def test_an_edited_page_is_the_next_revision_and_a_repeated_one_is_nothing(session: Session, brand: Brand) -> None:
    first = record_edit(session, brand, an_answer(given=9))
    assert not record_edit(session, brand, an_answer(given=9)).is_new
    second = record_edit(session, brand, an_answer(given=4))
    assert (first.response.revision, second.response.revision) == (1, 2)
    assert first.response.superseded_at is not None
    assert not record_edit(session, brand, an_answer(given=4)).is_new
    assert _n(session, Response) == 2


def test_the_same_id_of_another_source_or_brand_is_another_answer(session: Session, brand: Brand) -> None:
    other = Brand(slug="other", name="Other")
    session.add(other)
    session.flush()
    record_response(session, brand, an_answer())
    assert record_response(session, brand, an_answer(source="api:k")).is_new
    assert record_response(session, other, an_answer()).is_new


def test_an_answer_without_contact_stays_anonymous(session: Session, brand: Brand) -> None:
    stored = record_response(session, brand, an_answer(customer={"name": "Somebody"})).response
    assert stored.customer_id is None
    assert _n(session, Customer) == 0


def test_a_reaction_that_fails_leaves_nothing_behind(session: Session, brand: Brand) -> None:
    before = dict(events._reactions)

    def refuse(_session: Session, _fact: object) -> None:
        raise RuntimeError("no")

    events.wire({SurveyAnswered: [refuse]})
    try:
        with pytest.raises(RuntimeError), session.begin_nested():
            record_response(session, brand, an_answer(location="Lima"))
    finally:
        events.wire(before)
    assert (_n(session, Response), _n(session, Location)) == (0, 0)


@pytest.mark.parametrize(
    ("said", "field", "rule"),
    [
        ({"given": 11}, "given", "out_of_scale"),
        ({"given": -1}, "given", "out_of_scale"),
        ({"scale": "csat5", "given": 0}, "given", "out_of_scale"),
        ({"scale": "csat7", "given": 8}, "given", "out_of_scale"),
        ({"given": "9"}, "given", "int_type"),
        ({"given": True}, "given", "int_type"),
        ({"scale": "stars"}, "scale", "literal_error"),
        ({"external_id": " "}, "external_id", "string_too_short"),
        ({"external_id": "x" * 201}, "external_id", "string_too_long"),
        ({"external_id": "a\nb"}, "external_id", "one_line"),
        ({"revision": 0}, "revision", "greater_than_equal"),
        ({"comment": "x" * 5001}, "comment", "string_too_long"),
        ({"comment": "a\x07"}, "comment", "unprintable"),
        ({"comment": "\ud800"}, "comment", "string_unicode"),
        ({"business_line": "!!!"}, "business_line", "letter_or_digit"),
        ({"answered_at": datetime(2026, 1, 1)}, "answered_at", "timezone_aware"),  # noqa: DTZ001
        ({"answered_at": datetime(1989, 12, 31, tzinfo=UTC)}, "answered_at", "too_old"),
        ({"answered_at": NOON + timedelta(minutes=6)}, "answered_at", "in_the_future"),
        ({"locale": "español"}, "locale", "string_pattern_mismatch"),
        ({"customer": {"email": "nobody"}}, "customer.email", "value_error"),
        ({"customer": {"timezone": "Mars/Base"}}, "customer.timezone", "timezone"),
        ({"customer": {"email": "a@b.example", "phone": "600123456"}}, "customer.phone", "phone"),
        ({"customer": {"phone": "+34600123456"}}, "customer", "phone_alone"),
        ({"customer": {"consent": "yes"}}, "customer.consent", "bool_type"),
        ({"colour": "red"}, "colour", "extra_forbidden"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_field_and_rule(said: dict[str, Any], field: str, rule: str) -> None:
    with clock.at(NOON), pytest.raises(ValidationError) as refused:
        an_answer(**said)
    (error,) = refused.value.errors()
    assert (".".join(map(str, error["loc"])), error["type"]) == (field, rule)


def test_a_clock_that_is_a_little_ahead_is_no_lie() -> None:
    with clock.at(NOON):
        assert an_answer(answered_at=NOON + timedelta(minutes=4)).answered_at == NOON + timedelta(minutes=4)
