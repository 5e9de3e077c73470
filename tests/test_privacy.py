"""Nobody is named who did not agree to it: every route that takes a GET, for every role, every scope and the public.

People with words of their own that stand nowhere else are planted at the top of a living brand: on its boards, in a
frozen ranking, among rewards, checks and appeals. Then everything that can be asked for is asked for, also in the ways
that QUERIES adds, and searched for those words, workbooks too. Only what ALLOWED names may hold them.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Literal
from zipfile import ZipFile

import pytest
import sqlalchemy as sa
from apiflask import APIFlask
from flask import Response as Answer
from sqlalchemy.orm import Session
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from amplify.accounts.api_keys import SCOPES
from amplify.accounts.models import AuditEntry, User
from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import clock, jobs, logs
from amplify.core.security import ROLES, Access, access_of
from amplify.core.xlsx import CONTENT_TYPE as XLSX
from amplify.customers.services import erase
from amplify.demo.seed import STAFF, seed
from amplify.fraud import services as fraud
from amplify.fraud.models import RiskCase
from amplify.leaderboards import appeals, queries
from amplify.leaderboards.boards import find_board
from amplify.leaderboards.models import EntryAppeal
from amplify.leaderboards.services import rebuild
from amplify.rewards.models import Push
from amplify.sharing.models import ShareLink
from amplify.sharing.services import link_for, show_name
from amplify.sharing.tokens import Visit
from amplify.tracking.models import Click
from tests.client import Client
from tests.every_page import values_of
from tests.fraud.scene import catch_up
from tests.sharing.making import a_visit
from tests.tracking.world import World, click
from tests.world import a_key

CLICKS = 60
STAGES: tuple[Literal["setup", "call"], ...] = ("setup", "call")
# What each of them is called everywhere that we keep something about them.
PEOPLE = ("zzhidden", "zzsilent", "zzerased")
CANARY = re.compile(r"zz(hidden|silent|erased)[-\w.@ ]*", re.IGNORECASE)
# The pages that by rule may show a customer, and what of them: the customer's own page to admins, answers with what was
# said (never by whom), answers by API to keys that may read answers.
ALLOWED: dict[tuple[str, str], str] = {
    ("customers.one", "admin"): r"zz(hidden|silent)",
    **{("surveys.console.answers", role): r"zz(hidden|silent)-words" for role in ROLES},
    # The preview of one's own link says one's own words, under no name.
    **{("tracking.follow", role): r"zz(hidden|silent)-words" for role in ("nobody", *ROLES)},
    ("responses.list_all", "responses:read"): r"zz(hidden|silent)",
    ("responses.one", "responses:read"): r"zz(hidden|silent)",
}


# The ways to ask for more than a page shows at first.
BOARDS = ("window=7", "window=30&channel=x", "channel=x", "window=campaign&campaign={campaign_id}")
QUERIES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("leaderboards.console", "leaderboards.export", "leaderboard.top"), BOARDS),
    **dict.fromkeys(("rates.page", "rates.export", "leaderboard.rates"), BOARDS),
    **dict.fromkeys(("leaderboards.board", "leaderboards.explain"), ("board=7", "board=90", "board=campaign")),
    **dict.fromkeys(("fraud.listing", "fraud.listing_csv"), ("show=all", "show=accepted", "show=appealed")),
    **dict.fromkeys(("entry_appeals.listing", "entry_appeals.listing_csv"), ("show=all", "show=rejected")),
    "appeals.listing": ("what=click&verdict=duplicate", "what=conversion&verdict=attributed"),
}
# Nobody can get these here: a run, an upload, a mail's or a one-time token that a brand need not have, a picture of
# one's own link, and a worker that is not there. What they answer is searched all the same.
UNSEEN = re.compile(
    r"surveys\.imports\.(show|columns|problems)|surveys\.thanks|security\.reset_password|delivery\..*|sharing\.qr|"
    r"health\.readyz"
)


@dataclass
class Planted:
    """The brand and those who must not be named."""

    brand: Brand
    visits: dict[str, Visit]


@pytest.fixture
def planted(session: Session, caplog: pytest.LogCaptureFixture) -> Planted:
    """One who left the board although a name was agreed to, one who agreed to none, one who was erased since."""
    caplog.set_level(logging.DEBUG)
    brand = seed(session, datetime.now(UTC), lambda done, of: None, answers=60)
    campaign = session.scalars(sa.select(Campaign).where(Campaign.is_always_on)).one()
    world = World(session, brand, campaign)
    visits = {name: plant(world, name) for name in PEOPLE}
    catch_up(world)
    for visit in visits.values():
        look_into(session, visit)
    catch_up(world)
    show_name(session, visits["zzhidden"].advocate, "zzhidden-chosen", on_board=False)
    show_name(session, visits["zzerased"].advocate, "zzerased-chosen")
    coming = session.scalars(sa.select(Campaign).where(Campaign.state == "scheduled")).one()
    campaigns.start_now(session, coming, clock.now(), "system")
    customer = visits["zzerased"].advocate.customer
    assert customer
    erase(session, customer, "system")
    session.commit()
    jobs.drain(session)
    return Planted(brand, visits)


def plant(world: World, name: str) -> Visit:
    said = {"external_id": f"{name}-id", "email": f"{name}@friends.example", "name": f"{name}-name", "consent": True}
    visit = a_visit(
        world.session, world.brand, f"{name}-words", customer=said, external_id=f"answer {PEOPLE.index(name)}"
    )
    link = link_for(world.session, world.brand, visit.advocate, visit.campaign, "x", locale="en")
    for visitor in range(CLICKS):
        click(world, link, visitor=PEOPLE.index(name) * CLICKS + visitor, at=clock.now())
    return visit


def look_into(session: Session, visit: Visit) -> None:
    """Their visits are a rush: held, said to be right, and accepted. One of them is appealed, and stays."""
    mine = sa.select(RiskCase).where(RiskCase.advocate_id == visit.advocate.id, RiskCase.kind == "day")
    case = session.scalars(mine).one()
    fraud.appeal(session, visit.advocate.id, case.id, "They are friends.")
    fraud.decide(session, case, "accepted", actor="system", reason="A feast.")
    first = (
        sa.select(sa.func.min(Click.id))
        .join(ShareLink, ShareLink.id == Click.link_id)
        .where(ShareLink.advocate_id == visit.advocate.id)
    )
    said = appeals.appeal(session, visit.advocate, f"click:{session.scalar(first)}", "That was me.")
    appeals.answer(session, said, is_accepted=False, actor="system", reason="It was a friend.")


def addresses(app: APIFlask, session: Session, planted: Planted) -> Iterator[tuple[str, str, Access]]:
    """Endpoint, path and access of every GET route, about the planted people where it is about somebody."""
    shown = values_of(session, planted.brand)
    first = planted.visits["zzsilent"]
    code = session.scalars(sa.select(ShareLink.code).where(ShareLink.advocate_id == first.advocate.id)).one()
    shown |= {"code": code, "name": "x", "run_id": "1", "filename": "css/app.css", "campaign_id": shown["campaign_id"]}
    for who in planted.visits.values():
        assert who.response
        mine = who.advocate.id
        about = {
            "customer_id": who.advocate.customer_id,
            "advocate_id": who.advocate.id,
            "response_id": who.response.id,
            "case_id": session.scalar(
                sa.select(sa.func.max(RiskCase.id)).where(RiskCase.advocate_id == who.advocate.id)
            ),
            "appeal_id": session.scalar(sa.select(EntryAppeal.id).where(EntryAppeal.advocate_id == mine)),
        }
        link = session.scalars(sa.select(ShareLink.id).where(ShareLink.advocate_id == who.advocate.id)).one()
        values = {**shown, **about, "link_id": link}
        for rule in app.url_map.iter_rules():
            access = access_of(app.view_functions[rule.endpoint])
            if "GET" in (rule.methods or ()) and access and not rule.endpoint.startswith(("probe_", "static")):
                path = _filled(rule.rule, values)
                for query in ("", *QUERIES.get(rule.endpoint, ())):
                    yield rule.endpoint, f"{path}?{query.format(**values)}" if query else path, access


def _filled(rule: str, values: Mapping[str, object]) -> str:
    return re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda found: str(values.get(found[1], "nothing")), rule)


def leaks(app: APIFlask, session: Session, client: Client, planted: Planted) -> list[str]:
    """Every place that names somebody, as "role endpoint: what"."""
    found: list[str] = []
    seen: set[str] = set()
    asked = sorted(set(addresses(app, session, planted)), key=lambda one: one[:2])
    for role in ("nobody", *ROLES, *SCOPES):
        if role in ROLES:
            client.sign_in(session.scalars(sa.select(User).where(User.email == STAFF[role])).one())
        headers = a_key(session, planted.brand, role) if role in SCOPES else {}
        for endpoint, path, access in asked:
            if role in SCOPES and access.names != (role,):
                continue
            answer = client.get(path, headers=headers)
            seen |= {endpoint} if answer.status_code < 400 else set()
            text = f"{answer.headers}\n{text_of(answer)}"
            allowed = re.compile(ALLOWED.get((endpoint, role), r"(?!)"), re.IGNORECASE)
            found += [f"{role} {endpoint}: {hit[0]}" for hit in CANARY.finditer(text) if not allowed.match(hit[0])]
    # What nobody was shown was not searched.
    unseen = {endpoint for endpoint, _path, _access in asked} - seen
    assert [endpoint for endpoint in sorted(unseen) if not UNSEEN.fullmatch(endpoint)] == []
    return sorted(set(found))


def text_of(answer: TestResponse) -> str:
    """Everything that is said in an answer; of a workbook what stands in its sheets."""
    if answer.mimetype != XLSX:
        return answer.get_data().decode("utf-8", "replace")
    with ZipFile(BytesIO(answer.get_data())) as book:
        return "\n".join(book.read(name).decode() for name in book.namelist())


@pytest.fixture(autouse=True)
def _libraries_are_heard(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever an earlier test has told them."""
    for name in ("alembic", "dbos"):
        caplog.set_level("INFO", logger=name)


def test_nobody_is_named_who_did_not_agree(
    app: APIFlask, session: Session, client: Client, planted: Planted, caplog: pytest.LogCaptureFixture
) -> None:
    board = find_board(session, planted.brand.id)
    assert board
    first = [row.advocate_id for row in queries.top(session, board, 5, clock.now())]
    assert planted.visits["zzsilent"].advocate.id in first  # the search looks where it would be
    with capture_logs() as ours:
        assert leaks(app, session, client, planted) == []
    logged = "\n".join(
        record.getMessage() + repr(vars(record)) for when in STAGES for record in caplog.get_records(when)
    )
    logged += "\n".join(repr(logs.scrub(line)) for line in ours)
    assert len(logged) > 1000
    assert [hit[0] for hit in CANARY.finditer(logged)] == []


def test_the_search_finds_a_page_that_names_somebody(
    app: APIFlask, session: Session, client: Client, planted: Planted
) -> None:
    said = ["<p>zzsilent-name</p>"]

    def leaking() -> Answer:
        return Answer("".join(said), mimetype="text/html")

    leaking.access = Access("public")  # type: ignore[attr-defined]
    app._got_first_request = False
    app.add_url_rule("/privacy-leak", "privacy_leak", leaking)
    assert any("privacy_leak: zzsilent-name" in one for one in leaks(app, session, client, planted))
    said.clear()  # the route stays in the application of the test run, and says nothing any more


def test_a_reveal_needs_a_reason_and_is_written_down(session: Session, client: Client, planted: Planted) -> None:
    client.sign_in(session.scalars(sa.select(User).where(User.email == STAFF["marketer"])).one())
    advocate = planted.visits["zzsilent"].advocate
    path = f"/console/advocates/{advocate.id}/reveal"
    refused = client.post_form(path, {"reason": "why"})
    assert (refused.status_code, "zzsilent" in refused.text) == (422, False)
    shown = client.post_form(path, {"reason": "A prize has to be handed over."})
    assert "zzsilent@friends.example" in shown.text
    assert "no-store" in shown.headers["Cache-Control"]
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "advocate.revealed")).one()
    assert (entry.subject_id, entry.detail) == (str(advocate.id), {"reason": "A prize has to be handed over."})
    client.sign_in(session.scalars(sa.select(User).where(User.email == STAFF["brand"])).one())
    assert client.post_form(path, {"reason": "I am only curious."}).status_code == 403


def test_leaving_the_board_keeps_the_reward_and_erasing_leaves_totals_right(session: Session, planted: Planted) -> None:
    board = find_board(session, planted.brand.id)
    assert board
    for name in ("zzhidden", "zzerased"):
        assert queries.rank_of(session, board, planted.visits[name].advocate.id)
    assert planted.visits["zzhidden"].advocate.id in rewarded(session)
    before = standings(session, board.id)
    rebuild(session, planted.brand.id)
    board = find_board(session, planted.brand.id)
    assert board
    assert standings(session, board.id) == before


def rewarded(session: Session) -> set[int]:
    return set(session.scalars(sa.select(Push.advocate_id)))


def standings(session: Session, board_id: int) -> list[tuple[object, ...]]:
    rows = session.execute(
        sa.text("SELECT advocate_id, human_clicks, milli_points FROM standings WHERE board_id = :id ORDER BY 1"),
        {"id": board_id},
    )
    return [tuple(row) for row in rows]
