"""What the tests of answers begin with: a brand, an answer, and the facts that were published."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.core import events
from amplify.surveys.events import SurveyAnswered
from amplify.surveys.schemas import ResponseIn
from tests.world import a_brand

FIXTURES = Path(__file__).parents[1] / "fixtures" / "surveys"


def an_answer(**said: Any) -> ResponseIn:
    """A promoter's answer by the signed webhook, unless said otherwise."""
    return ResponseIn.model_validate({"source": "signed:shop", "external_id": "a-1", "given": 9, **said})


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session)


@pytest.fixture
def heard() -> Iterator[list[SurveyAnswered]]:
    """Every SurveyAnswered that is published, in order; nobody else reacts meanwhile."""
    before = dict(events._reactions)
    told: list[SurveyAnswered] = []
    events.wire({SurveyAnswered: [lambda _session, fact: told.append(fact)]})
    yield told
    events.wire(before)


@pytest.fixture(scope="session")
def airline_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real file, uncompressed."""
    path = tmp_path_factory.mktemp("airline") / "airline_survey.csv"
    path.write_bytes(gzip.decompress((FIXTURES / "airline_survey.csv.gz").read_bytes()))
    return path
