"""`amplify delivery`: a brand's own program, its ways and limits, and the reports in a mail file."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core.db import Base
from amplify.delivery.models import Endpoint, Suppression
from amplify.delivery.services import queue_message
from tests.delivery.conftest import CONTEXT
from tests.delivery.test_bounces import BOUNCE, report
from tests.world import a_brand

Amplify = Callable[..., subprocess.CompletedProcess[str]]
BRAND = ("--brand", "acme")


@pytest.fixture
def database(environment: dict[str, str], tmp_path: Path) -> Iterator[sa.Engine]:
    """The command line's database, and a bounce of the one mail of its brand in `tmp_path / "bounce.eml"`."""
    address = environment["AMPLIFY_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(address)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        said = {"template": "ask", "address": "ana@friends.example", "locale": "en", "context": CONTEXT}
        message = queue_message(session, a_brand(session), **said)
        (tmp_path / "bounce.eml").write_text(report(message, BOUNCE))
        session.commit()
    yield engine
    engine.dispose()


def test_a_brands_program_is_added_and_an_inner_address_is_not(amplify: Amplify, database: sa.Engine) -> None:
    made = amplify("delivery", "webhook", "https://hooks.example.com/in", *BRAND, "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["secret"].startswith("whsec_")
    inner = amplify("delivery", "webhook", "https://10.0.0.1/in", *BRAND)
    assert (inner.returncode, "Traceback" in inner.stderr) == (1, False)
    with Session(database) as session:
        assert session.scalars(sa.select(Endpoint)).one().shown == "hooks.example.com"


def test_ways_and_limits_are_shown_and_changed(amplify: Amplify, database: sa.Engine) -> None:
    changed = amplify(
        "delivery", "channels", *BRAND, "--order", "webpush, email", "--per-minute", "email=600", "--json"
    )
    assert changed.returncode == 0, changed.stderr
    said = {"order": ["webpush", "email"], "per_minute": {"email": 600}, "ended_webhooks": []}
    assert json.loads(changed.stdout) == said
    assert json.loads(amplify("delivery", "channels", *BRAND, "--json").stdout) == said
    for wrong in (
        ("--order", "pigeon"),
        ("--order", "email,email"),
        ("--per-minute", "email"),
        ("--per-minute", "x=1"),
    ):
        assert amplify("delivery", "channels", *BRAND, *wrong).returncode == 2


def test_a_file_of_bounces_suppresses(amplify: Amplify, database: sa.Engine, tmp_path: Path) -> None:
    done = amplify("delivery", "bounces", str(tmp_path / "bounce.eml"), "--json")
    assert json.loads(done.stdout) == {"bounce": 1, "complaint": 0, "unknown": 0}
    with Session(database) as session:
        assert session.scalars(sa.select(Suppression)).one().reason == "bounced"
