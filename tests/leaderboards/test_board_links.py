"""Sharing a board: what a link shows and to whom, until when, and where it may stand in a frame."""

import io
import json
from datetime import timedelta
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
import sqlalchemy as sa
import time_machine

from amplify.accounts.models import AuditEntry
from amplify.brands.policy import change_policy
from amplify.core.errors import Invalid
from amplify.leaderboards.board_links import make_link
from amplify.leaderboards.boards import WHOLE_BRAND
from amplify.leaderboards.models import BoardLink
from amplify.sharing.services import show_name
from tests.client import Client
from tests.leaderboards.scene import advocates_with
from tests.tracking.world import NOON, World
from tests.world import a_brand, a_user

PASSWORD = "open sesame 1"


def shared(world: World, password: str = "", **more: object) -> str:
    """The address of a new link to the brand's board."""
    asked = {"name": "Friends of Acme", "board": WHOLE_BRAND, "shown": 10, "days": 7} | more
    _link, secret = make_link(world.session, world.brand, **asked, password=password, actor="user:1")  # type: ignore[arg-type]
    return f"/shared/{secret}"


def test_anybody_with_the_link_reads_the_board_and_no_name_that_was_not_agreed_to(world: World, client: Client) -> None:
    agreed, silent, hidden = advocates_with(world, 3, 2, 1)
    show_name(world.session, agreed, "Nadia K.")
    hidden.on_board = False
    address = shared(world)
    for path in ("", "/wall", "/events", "/board.csv", "/board.json"):
        answer = client.get(address + path)
        assert answer.status_code == 200, path
        assert "Nadia K." in answer.text
        assert silent.pseudonym in answer.text
        for unwanted in (agreed.pseudonym, hidden.pseudonym, "Real Name", "@example.org"):
            assert unwanted not in answer.text, (path, unwanted)
        assert "noindex" in answer.headers.get("X-Robots-Tag", "") or path == "/events"


def test_pages_are_kept_for_a_moment_and_never_those_with_a_password(world: World, client: Client) -> None:
    assert client.get(shared(world)).headers["Cache-Control"] == "public, max-age=15"
    address = shared(world, PASSWORD)
    client.post_form(address, {"password": PASSWORD})
    answer = client.get(address)
    assert "Friends of Acme" in answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_a_password_opens_the_page_and_all_its_forms(world: World, client: Client) -> None:
    (first,) = advocates_with(world, 1)
    address = shared(world, PASSWORD)
    assert first.pseudonym not in client.get(address).text
    for path in ("/wall", "/events", "/board.csv", "/board.xlsx", "/board.json"):
        assert client.get(address + path).status_code == 401, path
    wrong = client.post_form(address, {"password": "open sesame 2"})
    assert (wrong.status_code, first.pseudonym in wrong.text) == (403, False)
    assert client.post_form(address, {"password": PASSWORD}).status_code == 303
    assert first.pseudonym in client.get(address).text
    for path in ("/wall", "/events", "/board.csv", "/board.xlsx", "/board.json"):
        assert client.get(address + path).status_code == 200, path


def test_the_password_of_one_board_opens_no_other(world: World, client: Client) -> None:
    one, other = shared(world, PASSWORD), shared(world, PASSWORD)
    client.post_form(one, {"password": PASSWORD})
    kept = client.get_cookie("board_" + str(ids(world)[0]), path=one)
    assert kept is not None
    client.set_cookie("board_" + str(ids(world)[1]), kept.value, path=other)
    assert client.get(f"{other}/board.csv").status_code == 401


def ids(world: World) -> list[int]:
    return list(world.session.scalars(sa.select(BoardLink.id).order_by(BoardLink.id)))


def test_an_opened_board_closes_after_half_a_day(world: World, client: Client, noon: time_machine.Traveller) -> None:
    address = shared(world, PASSWORD)
    client.post_form(address, {"password": PASSWORD})
    noon.shift(timedelta(hours=13))
    assert client.get(f"{address}/board.csv").status_code == 401


def test_trying_passwords_is_counted_like_signing_in(world: World, client: Client) -> None:
    address = shared(world, PASSWORD)
    client.application.config["COUNT_REQUESTS"] = True
    try:
        tried = [client.post_form(address, {"password": f"wrong {n} wrong"}).status_code for n in range(12)]
    finally:
        client.application.config["COUNT_REQUESTS"] = False
    assert tried[:10] == [403] * 10
    assert tried[10:] == [429] * 2


def test_a_link_ends_by_its_day_or_by_hand(world: World, client: Client, noon: time_machine.Traveller) -> None:
    client.sign_in(a_user(world.session, world.brand, "marketer"))
    address, other = shared(world, days=1), shared(world)
    last = ids(world)[-1]
    assert client.post_form(f"/console/leaderboard/links/{last}/revoke").status_code == 303
    assert client.get(other).status_code == 410
    noon.shift(timedelta(days=1))
    for path in ("", "/wall", "/events", "/frame", "/board.csv", "/board.xlsx", "/board.json"):
        assert client.get(address + path).status_code == 410, path
    assert client.get("/shared/nothing-here").status_code == 404
    actions = world.session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-3:] == ["board-link.made", "board-link.made", "board-link.revoked"]


def test_the_secret_is_stored_nowhere_and_last_use_to_the_minute(
    world: World, client: Client, noon: time_machine.Traveller
) -> None:
    address = shared(world, PASSWORD)
    secret = address.rpartition("/")[2]
    link = world.session.scalars(sa.select(BoardLink)).one()
    kept = json.dumps({c.name: str(getattr(link, c.name)) for c in BoardLink.__table__.columns})
    assert secret not in kept
    assert PASSWORD not in kept
    assert link.last_used_at is None
    client.get(address)
    noon.shift(timedelta(seconds=30))
    client.get(address)
    world.session.refresh(link)
    assert link.last_used_at == NOON


def test_only_pages_of_the_brands_list_may_show_the_frame(world: World, client: Client) -> None:
    (first,) = advocates_with(world, 1)
    address, closed = shared(world), shared(world, PASSWORD)
    assert client.get(f"{address}/frame").status_code == 403
    origins = ["https://intranet.acme.example", "https://www.acme.example:8443"]
    change_policy(world.session, world.brand, {"frame_origins": origins})
    answer = client.get(f"{address}/frame")
    assert first.pseudonym in answer.text
    assert f"frame-ancestors {' '.join(origins)}" in answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in answer.headers
    refused = client.get(f"{closed}/frame")
    assert refused.status_code == 403
    for page in (refused, client.get(address), client.get(f"{address}/wall")):
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "origin",
    [
        "http://acme.example", "https://acme.example/path", "https://a.example; script-src *", "https://*", "*",
        "https://user@acme.example", "https://acme.example:99999", "'self'", "https://a_b.example", "https://-a.example",
    ],
)  # fmt: skip
def test_the_list_takes_https_origins_and_nothing_else(world: World, origin: str) -> None:
    with pytest.raises(Invalid) as refused:
        change_policy(world.session, world.brand, {"frame_origins": [origin]})
    assert (refused.value.field, refused.value.rule) == ("frame_origins", "https-origin")


def test_files_hold_the_board_and_no_formula(world: World, client: Client) -> None:
    (first,) = advocates_with(world, 2)
    show_name(world.session, first, "=1+1|cmd")
    address = shared(world)
    assert "'=1+1|cmd" in client.get(f"{address}/board.csv").text
    with ZipFile(io.BytesIO(client.get(f"{address}/board.xlsx").data)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
        for name in archive.namelist():
            ElementTree.fromstring(archive.read(name))  # noqa: S314  our own file
    assert b"<f>" not in sheet
    assert b"'=1+1|cmd" in sheet
    row = client.get(f"{address}/board.json").json["rows"][0]
    assert (row["rank"], row["human_clicks"], row["raw_clicks"]) == (1, 2, 2)


def test_staff_make_a_link_and_see_its_address_once(world: World, client: Client) -> None:
    client.sign_in(a_user(world.session, world.brand, "marketer"))
    form = {"name": "Spring", "board": f"campaign:{world.campaign.id}", "shown": "5", "days": "30", "password": ""}
    page = client.post_form("/console/leaderboard/links", form)
    link = world.session.scalars(sa.select(BoardLink)).one()
    assert (link.board.kind, link.board.ref_id, link.shown) == ("campaign", world.campaign.id, 5)
    assert "/shared/" in page.text
    again = client.get("/console/leaderboard/links")
    assert "Spring" in again.text
    assert "/shared/" not in again.text
    assert "Spring" in client.get("/console/leaderboard/links.csv").text


@pytest.mark.parametrize(
    ("field", "value"),
    [("board", "campaign:99999"), ("board", "x"), ("days", "0"), ("shown", "101"), ("password", "short")],
)
def test_a_form_that_is_not_right_names_its_field(world: World, client: Client, field: str, value: str) -> None:
    client.sign_in(a_user(world.session, world.brand, "admin"))
    form = {"name": "Spring", "board": "brand:0", "shown": "5", "days": "30", "password": "", field: value}
    answer = client.post_form("/console/leaderboard/links", form)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert ids(world) == []


def test_another_brands_link_cannot_be_ended(world: World, client: Client) -> None:
    shared(world)
    client.sign_in(a_user(world.session, a_brand(world.session, slug="other"), "admin"))
    assert client.post_form(f"/console/leaderboard/links/{ids(world)[0]}/revoke").status_code == 404
