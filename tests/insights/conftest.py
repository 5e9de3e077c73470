"""A brand with its words in both languages."""

import pytest
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from tests.rewards.making import make_brand


@pytest.fixture
def brand(session: Session) -> Brand:
    return make_brand(session)
