"""The always-on campaign in the console: made, changed, refused, and asked with."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.asks.models import Ask
from amplify.brands.models import Brand
from amplify.campaigns import always_on
from amplify.campaigns.models import Campaign
from amplify.surveys.schemas import ResponseIn
from amplify.surveys.services import record_response
from tests.client import Client
from tests.world import a_brand, a_user

PAGE = "/console/campaigns/always-on"
FORM = {
    "version": "0",
    "landing_url": "https://shop.example/hello",
    "headline_en": "Try us",
    "share_text_es": "Pruébalo",
}


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session)


@pytest.fixture
def marketer(session: Session, client: Client, brand: Brand) -> Client:
    client.sign_in(a_user(session, brand, "marketer"))
    return client


def the_only(session: Session, brand: Brand) -> Campaign:
    session.expire_all()
    return session.scalars(sa.select(Campaign).where(Campaign.brand_id == brand.id)).one()


def test_a_brand_begins_to_ask_once_staff_say_where_links_lead(
    session: Session, brand: Brand, marketer: Client
) -> None:
    answer = {"source": "signed:shop", "given": 10, "customer": {"email": "ana@friends.example", "consent": True}}
    record_response(session, brand, ResponseIn.model_validate({**answer, "external_id": "a-1"}))
    assert session.scalar(sa.select(sa.func.count(Ask.id))) == 0
    assert "nobody is asked" in marketer.get("/console/campaigns").text
    assert 'value="https://shop.example/"' in marketer.get(PAGE).text

    assert marketer.post_form(PAGE, FORM).status_code == 303
    made = the_only(session, brand)
    assert (made.state, made.is_always_on, made.landing_url) == ("live", True, FORM["landing_url"])
    assert (made.text("en", "headline"), made.text("es", "share_text")) == ("Try us", "Pruébalo")
    record_response(session, brand, ResponseIn.model_validate({**answer, "external_id": "a-2"}))
    assert session.scalars(sa.select(Ask.campaign_id)).all() == [made.id]
    assert "https://shop.example/hello" in marketer.get("/console/campaigns").text


def test_it_is_changed_and_every_change_is_audited(session: Session, brand: Brand, marketer: Client) -> None:
    marketer.post_form(PAGE, FORM)
    shown = marketer.get(PAGE).text
    assert 'value="Try us"' in shown
    version = str(the_only(session, brand).version)
    moved = {**FORM, "version": version, "landing_url": "https://shop.example/new"}
    assert marketer.post_form(PAGE, moved).status_code == 303
    assert the_only(session, brand).landing_url == "https://shop.example/new"
    entries = sa.select(AuditEntry.action, AuditEntry.detail).where(AuditEntry.subject_kind == "campaign")
    assert [tuple(row) for row in session.execute(entries.order_by(AuditEntry.id))] == [
        ("campaign.created", {"always_on": True}),
        ("campaign.edited", {"changed": ["landing_url"]}),
    ]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"landing_url": "https://elsewhere.example/"}, 422),
        ({"landing_url": "javascript:alert(1)"}, 422),
        ({"landing_url": "https://www.trustpilot.com/review/shop.example"}, 403),
        ({"share_text_en": "Review us on yelp.com/biz/shop"}, 403),
        ({"headline_en": "x" * 121}, 422),
        ({"landing_url": ""}, 422),
    ],
)
def test_what_the_rules_refuse_is_said_and_nothing_is_made(
    session: Session, brand: Brand, marketer: Client, wrong: dict[str, str], status: int
) -> None:
    page = marketer.post_form(PAGE, {**FORM, **wrong})
    assert page.status_code == status
    assert "Please look at these fields" in page.text
    assert 'class="field-error"' in page.text
    assert always_on.of(session, brand) is None


def test_two_people_who_change_it_at_once_are_told(session: Session, brand: Brand, marketer: Client) -> None:
    marketer.post_form(PAGE, FORM)
    late = marketer.post_form(PAGE, {**FORM, "landing_url": "https://shop.example/late"})
    assert late.status_code == 409
    assert "Somebody else has changed this campaign" in late.text
    assert the_only(session, brand).landing_url == FORM["landing_url"]


def test_each_brand_has_its_own(session: Session, brand: Brand, marketer: Client) -> None:
    other = a_brand(session, "other")
    marketer.post_form(PAGE, FORM)
    assert always_on.of(session, other) is None
    assert always_on.of(session, brand) is not None


def test_its_page_offers_its_own_form_and_nothing_that_starts_it(
    session: Session, brand: Brand, marketer: Client
) -> None:
    marketer.post_form(PAGE, FORM)
    own = f"/console/campaigns/{the_only(session, brand).id}"
    page = marketer.get(own).text
    assert "Promoters are asked and can share." in page
    assert "Rewards of the start" not in page
    assert "Dry run" not in page
    assert f"{own}/copies" not in page
    assert marketer.get(f"{own}/edit").headers["Location"] == PAGE
    assert marketer.post_form(f"{own}/edit", {"name": "Spring", "version": "1"}).status_code == 409
    assert the_only(session, brand).is_always_on
