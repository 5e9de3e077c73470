"""Exclusion lists: whom they hold, what becomes of lines that name nobody, and what keeps a list from going."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import exclusions
from amplify.campaigns.models import Excluded
from amplify.core.errors import Conflict, Invalid, NotFound
from amplify.customers.models import Customer
from tests.campaigns.making import make_brand, make_campaign


@pytest.fixture
def brand(session: Session) -> Brand:
    brand = make_brand(session)
    other = make_brand(session, "other")
    for owner, external_id, email in (
        (brand, "a-1", "ana.maria@gmail.com"), (brand, "a-2", "anamaria@gmail.com"), (brand, "b-1", None),
        (other, "c-1", "theirs@mail.example"),
    ):  # fmt: skip
        normal = email and email.replace(".maria", "maria")
        session.add(Customer(brand_id=owner.id, external_id=external_id, email=email, email_normal=normal))
    session.flush()
    return brand


def on(session: Session, list_id: int) -> set[str | None]:
    people = sa.select(Customer.external_id).join(Excluded, Excluded.customer_id == Customer.id)
    return set(session.scalars(people.where(Excluded.list_id == list_id)))


def test_people_are_found_by_mailbox_and_by_id_and_others_are_told_by_line(session: Session, brand: Brand) -> None:
    made = exclusions.create(session, brand, "  Our   staff ", "user:1")
    lines = ["email,name", "Ana.Maria+x@gmail.com,Ana", "b-1", "", "theirs@mail.example", "nobody"]
    done = exclusions.put_on(session, made, lines, "user:1")
    assert (done.changed, done.as_before, done.unknown) == (3, 0, 2)
    assert done.unknown_lines == [(5, "theirs@mail.example"), (6, "nobody")]
    assert on(session, made.id) == {"a-1", "a-2", "b-1"}
    assert [(row.ExclusionList.name, row.people) for row in exclusions.of_brand(session, brand.id)] == [
        ("Our staff", 3)
    ]


def test_the_same_lines_twice_change_nothing_and_come_off_again(session: Session, brand: Brand) -> None:
    made = exclusions.create(session, brand, "Staff", "user:1")
    for changed, before in ((1, 0), (0, 1)):
        done = exclusions.put_on(session, made, ["b-1"], "user:1")
        assert (done.changed, done.as_before) == (changed, before)
    assert exclusions.take_off(session, made, ["b-1", "a-1"], "user:1").changed == 1
    assert on(session, made.id) == set()


@pytest.mark.parametrize(("name", "rule"), [("", "length-1-200"), ("x" * 201, "length-1-200"), ("Staff", "name-taken")])
def test_a_list_needs_a_name_of_its_own(session: Session, brand: Brand, name: str, rule: str) -> None:
    exclusions.create(session, brand, "Staff", "user:1")
    with pytest.raises(Invalid) as refused:
        exclusions.create(session, brand, name, "user:1")
    assert (refused.value.field, refused.value.rule) == ("name", rule)


def test_a_list_stays_while_a_campaign_leaves_it_out(session: Session, brand: Brand) -> None:
    made = exclusions.create(session, brand, "Staff", "user:1")
    campaign = make_campaign(session, brand, audience={"kind": "top_n", "value": 3, "exclude": [made.id]})
    exclusions.put_on(session, made, ["b-1"], "user:1")
    with pytest.raises(Conflict) as refused:
        exclusions.remove(session, made, "user:1")
    assert refused.value.rule == "list-in-use"
    campaign.audience = {"kind": "top_n", "value": 3}
    exclusions.remove(session, made, "user:1")
    with pytest.raises(NotFound):
        exclusions.get(session, brand.id, made.id)


def test_another_brands_list_is_no_list(session: Session, brand: Brand) -> None:
    theirs = exclusions.create(session, make_brand(session, "third"), "Staff", "user:1")
    with pytest.raises(NotFound):
        exclusions.get(session, brand.id, theirs.id)
    with pytest.raises(Invalid) as refused:
        make_campaign(session, brand, audience={"kind": "top_n", "value": 3, "exclude": [theirs.id]})
    assert (refused.value.field, refused.value.rule) == ("audience.exclude", "list-known")


@pytest.mark.parametrize(
    "audience", [{"kind": "tier", "value": 4}, {"holdout_percent": 51}, {"not_rewarded_days": -1}, {"locale": "fr"},
                 {"location_id": 1, "campaign_id": 2}, {"joined_since": "soon"}],
)  # fmt: skip
def test_an_audience_that_does_not_fit_names_itself(
    session: Session, brand: Brand, audience: dict[str, object]
) -> None:
    with pytest.raises(Invalid) as refused:
        make_campaign(session, brand, audience=audience)
    assert (refused.value.field or "").startswith("audience")
