"""A database with many advocates on a board and a campaign for all of them; kept between runs if a folder is given."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from amplify.app import create_app
from amplify.brands.models import Brand
from amplify.brands.services import create_brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.schemas import CampaignIn, read
from amplify.core import clock, schema, wal
from amplify.core.bulk import insert_many
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.customers.models import Customer
from amplify.leaderboards import histogram
from amplify.leaderboards.boards import WHOLE_BRAND, board_ids
from amplify.leaderboards.models import Standing
from amplify.leaderboards.scoring import begin
from amplify.rewards import writing
from amplify.rewards.schemas import RewardIn
from amplify.sharing.models import Advocate
from bench import servers
from bench.loop import TEXTS

FILL = 20_000
HALF_LIFE_LOG = 40.0  # where scores begin; only their order matters here


@contextmanager
def database(kind: str, number: int, keep: Path | None, *, copy: bool = True) -> Iterator[str]:
    """The address of a filled database that may be changed; without `copy` of the kept one itself."""
    with servers.databases((kind,), keep, large=True) as addresses:
        make = _copied_file if kind == "sqlite" else _copied_by_server
        with make(sa.make_url(addresses[kind]), number, copy) as url:
            yield url.render_as_string(hide_password=False)


@contextmanager
def _copied_file(base: sa.URL, number: int, copy: bool) -> Iterator[sa.URL]:
    kept = Path(str(base.database)).with_name(f"filled-{number}.db")
    if not kept.exists():
        making = kept.with_name("making.db")
        _clear_away(making)
        _fill_in(base.set(database=str(making)), number)
        making.rename(kept)
    working = kept.with_name("working.db")
    _clear_away(working)  # a run that was killed left a log, which belongs to another file
    if copy:
        shutil.copyfile(kept, working)
    yield base.set(database=str(working if copy else kept))
    _clear_away(working)


def _clear_away(file: Path) -> None:
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()


@contextmanager
def _copied_by_server(base: sa.URL, number: int, copy: bool) -> Iterator[sa.URL]:
    base = base.set(drivername="postgresql")
    kept = f"filled_{number}"
    server = sa.create_engine(base.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:

        def say(statement: str) -> None:
            connection.execute(sa.text(statement))

        say("DROP DATABASE IF EXISTS working")
        known = sa.text("SELECT count(*) FROM pg_database WHERE datname = :name")
        if not connection.scalar(known, {"name": kept}):
            say("DROP DATABASE IF EXISTS making")
            say("CREATE DATABASE making")
            _fill_in(base.set(database="making"), number)
            say(f"ALTER DATABASE making RENAME TO {kept}")
        if copy:
            say(f"CREATE DATABASE working TEMPLATE {kept}")
        yield base.set(database="working" if copy else kept)
        say("DROP DATABASE IF EXISTS working")
    server.dispose()


def _fill_in(url: sa.URL, number: int) -> None:
    folder = Path(str(url.database)).parent if url.get_backend_name() == "sqlite" else Path()
    with installation(url.render_as_string(hide_password=False), folder) as engine:
        fill(db.session, number)
        settle(engine)


@contextmanager
def installation(address: str, folder: Path) -> Iterator[Engine]:
    """The application on an empty database."""
    app = create_app(Settings(env="test", database_url=address, data_dir=folder))
    with app.app_context():
        schema.upgrade(db.engine)
        yield db.engine
        db.session.close()
        db.engine.dispose()


def settle(engine: Engine) -> None:
    """What the worker does beside: SQLite's log is folded in, PostgreSQL knows how large its tables are."""
    if engine.dialect.name == "sqlite":
        wal.checkpoint(Path(str(engine.url.database)))
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def fill(session: Session, number: int) -> int:
    """A brand with so many people on its board, all of whom may be written to; the id of its scheduled campaign."""
    brand = create_brand(session, slug="bench", name="Bench", target_hosts=["shop.example"])
    board = board_ids(session, begin(session, brand.id), [WHOLE_BRAND])[WHOLE_BRAND]
    now = datetime.now(UTC)
    for start in range(1, number + 1, FILL):
        people = range(start, min(start + FILL, number + 1))
        mails = [f"p{i}@mail.example" for i in people]
        known = {"brand_id": brand.id, "name": "", "consent": True, "consent_source": ""}
        known |= {"is_employee": False, "sms_consent_source": ""}
        own: dict[str, Any] = {"id": people, "email": mails, "email_normal": mails}
        insert_many(session, Customer, _known(Customer, {**known, "locale": "en", "created_at": now}), own)
        promised = {"brand_id": brand.id, "on_board": True, "token_epoch": 0, "terms_version": "", "created_at": now}
        own = {"id": people, "customer_id": people, "pseudonym": [f"Bird {i}" for i in people]}
        insert_many(session, Advocate, _known(Advocate, promised), own)
        stood = {"board_id": board, "milli_points": 1000, "human_clicks": 1, "conversions": 0, "shares": 0, "tie": b""}
        # Spread like real ranks: no order of theirs is the order of the ids.
        logs = [HALF_LIFE_LOG + (i * 2654435761 % 2**32) / 2**32 for i in people]
        insert_many(session, Standing, {**stood, "reached_at": now}, {"advocate_id": people, "score_log": logs})
        histogram.apply(session, [(board, None, score) for score in logs])
        session.commit()
    return scheduled(session, brand, number)


def _known(model: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that the table has a column for."""
    return {name: value for name, value in values.items() if name in sa.inspect(model).local_table.c}


def scheduled(session: Session, brand: Brand, number: int) -> int:
    """A campaign that gives everybody a generated code."""
    given = {
        "name": "Thank you", "landing_url": "https://shop.example/stay", "texts": {"en": TEXTS, "es": TEXTS},
        "audience": {"kind": "top_percent", "value": 100}, "timezone": "UTC", "starts_local": "2099-01-01T09:00",
    }  # fmt: skip
    reward = {
        "type": "generated_code", "name": {"en": "20 % off"}, "value_minor": 500, "currency": brand.currency,
        "settings": {"pattern": "THANKS-####-####"}, "budget_minor": 500 * number,
    }  # fmt: skip
    made = writing.create(session, brand, read(CampaignIn, given), writing.Gifts(read(RewardIn, reward)), "bench")
    campaigns.schedule(session, made, clock.now())
    session.commit()
    return made.id
