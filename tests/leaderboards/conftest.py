"""A brand with a live campaign, at a fixed noon."""

from collections.abc import Iterator

import pytest
import time_machine
from sqlalchemy.orm import Session

from tests.tracking.world import NOON, World, make_world


@pytest.fixture
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def world(session: Session, noon: time_machine.Traveller) -> World:
    return make_world(session)
