"""Brands, and the lines and places that answers name."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from amplify.brands.models import Location
from amplify.brands.services import (
    brand_by_slug,
    create_brand,
    ensure_business_line,
    ensure_location,
    slugify,
)
from amplify.core.db import Base
from amplify.core.errors import Conflict, Invalid, NotFound
from tests.world import a_brand


@pytest.mark.parametrize(
    ("text", "slug"),
    [("São Paulo (GRU)", "sao-paulo-gru"), ("  Skyline & Co. ", "skyline-co"), ("東京", "東京"), ("!!!", "")],
)
def test_a_name_becomes_a_key_that_people_can_read(text: str, slug: str) -> None:
    assert slugify(text) == slug


@given(st.text(max_size=300))
def test_a_key_of_a_key_is_the_key_itself(text: str) -> None:
    key = slugify(text)
    assert len(key) <= 80
    assert slugify(key) == key


def test_the_same_place_is_made_once_under_any_spelling(session: Session) -> None:
    brand = a_brand(session)
    first = ensure_location(session, brand.id, "New York", "New York, NY")
    assert ensure_location(session, brand.id, "new york") is first
    assert (first.key, first.name) == ("new-york", "New York, NY")


def test_two_brands_have_each_their_own_places(session: Session) -> None:
    one, other = a_brand(session), a_brand(session, "other")
    assert ensure_business_line(session, one.id, "air").id != ensure_business_line(session, other.id, "air").id


def test_a_key_without_letters_is_refused(session: Session) -> None:
    with pytest.raises(Invalid):
        ensure_location(session, a_brand(session).id, " - ")


def test_many_who_name_a_new_place_at_once_get_the_same_one(new_database: Any) -> None:
    """On a database of its own, with real commits from eight threads."""
    engine = sa.create_engine(new_database())
    Base.metadata.create_all(engine)
    make = sessionmaker(engine)
    with make.begin() as session:
        brand_id = a_brand(session).id
    together = Barrier(8)

    def ensure(_number: int) -> int:
        together.wait()
        with make.begin() as session:
            return ensure_location(session, brand_id, "Lima").id

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(ensure, range(8)))
    with make.begin() as session:
        stored = session.scalars(sa.select(Location.id)).all()
    engine.dispose()
    assert ids == set(stored)
    assert len(stored) == 1


def test_a_brand_is_found_by_its_slug_and_nothing_else(session: Session) -> None:
    brand = a_brand(session)
    assert brand_by_slug(session, "acme") is brand
    for wrong in ("Acme", "acm", "", "x" * 500):
        with pytest.raises(NotFound):
            brand_by_slug(session, wrong)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "Two Words"),
        ("slug", ""),
        ("slug", "ñandú"),
        ("name", "  "),
        ("default_locale", "de"),
        ("timezone", "Mars/Olympus"),
        ("currency", "XXXX"),
    ],
)
def test_a_brand_that_makes_no_sense_names_the_field(session: Session, field: str, value: str) -> None:
    given: dict[str, Any] = {"slug": "acme", "name": "Acme", field: value}
    with pytest.raises(Invalid) as refused:
        create_brand(session, **given)
    assert refused.value.field == field


def test_a_slug_is_given_once(session: Session) -> None:
    a_brand(session)
    with pytest.raises(Conflict):
        a_brand(session)
