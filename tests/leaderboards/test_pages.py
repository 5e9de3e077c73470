"""The leaderboard on screen, as JSON and as CSV."""

import csv
import io

import pytest

from amplify.accounts.api_keys import create_api_key
from amplify.accounts.services import create_user
from amplify.core.web import Amplify
from amplify.leaderboards.windows import fold_windows
from amplify.sharing.models import Advocate
from amplify.sharing.services import show_name
from amplify.sharing.tokens import PURPOSE, share_page_token
from tests.client import Client
from tests.leaderboards.scene import advocates_with, catch_up
from tests.leaderboards.test_services import convert, refund, share
from tests.tracking.world import FACEBOOK, World, click, make_world


@pytest.fixture
def staff(world: World, client: Client) -> Client:
    user = create_user(world.session, world.brand, email="bea@acme.example", role="brand", password="correct horse 9!")
    client.sign_in(user)
    return client


def board_path(world: World, client: Client, advocate: Advocate) -> str:
    signer = Amplify(client.application.extensions["amplify"].settings).signer(PURPOSE)
    return f"/board/{share_page_token(signer, advocate, None, world.campaign.id)}"


def key(world: World, *scopes: str) -> dict[str, str]:
    _row, secret = create_api_key(world.session, world.brand.id, name="bi", scopes=list(scopes), actor="system")
    return {"Authorization": f"Bearer {secret}"}


def test_staff_see_the_board_with_raw_beside_human(world: World, staff: Client) -> None:
    few, _many = advocates_with(world, 1, 3)
    click(world, world.link(few, "email"), agent=FACEBOOK)
    page = staff.get("/console/leaderboard").text
    assert few.pseudonym in page
    assert "Real Name" not in page
    assert "Human clicks" in page
    assert "All requests" in page


def test_filters_choose_a_board(world: World, staff: Client) -> None:
    madrid = world.location("madrid")
    (there,) = advocates_with(world, 1, location_id=madrid.id)
    (elsewhere,) = advocates_with(world, 2)
    page = staff.get(f"/console/leaderboard?campaign=&location={madrid.id}&business_line=").text
    assert there.pseudonym in page
    assert elsewhere.pseudonym not in page
    empty = staff.get(f"/console/leaderboard?location={world.location('oslo').id}")
    assert empty.status_code == 200
    assert "Nobody has points here yet" in empty.text
    assert staff.get("/console/leaderboard?location=x").status_code == 422


def test_the_csv_holds_the_board_and_no_formula(world: World, staff: Client) -> None:
    first, second = advocates_with(world, 2, 1)
    show_name(world.session, first, "=HYPERLINK(1)")
    response = staff.get("/console/leaderboard.csv")
    rows = list(csv.reader(io.StringIO(response.text.lstrip("\ufeff"))))
    assert rows[0][:2] == ["Rank", "Advocate"]
    assert [row[1] for row in rows[1:]] == ["'=HYPERLINK(1)", second.pseudonym]


def test_json_gives_the_top_of_a_board(world: World, client: Client) -> None:
    few, many = advocates_with(world, 1, 3)
    show_name(world.session, many, "Nadia K.")
    answer = client.get("/api/v1/leaderboard?limit=1", headers=key(world, "leaderboards:read"))
    assert answer.status_code == 200
    assert answer.json["board"] == "brand"
    assert answer.json["ranked"] == 2
    (row,) = answer.json["rows"]
    assert (row["rank"], row["advocate"], row["human_clicks"], row["raw_clicks"]) == (1, "Nadia K.", 3, 3)
    assert row["score"] == pytest.approx(3, abs=0.1)
    campaign = client.get(f"/api/v1/leaderboard?campaign={world.campaign.id}", headers=key(world, "leaderboards:read"))
    assert campaign.json["board"] == "campaign"
    assert [row["advocate"] for row in campaign.json["rows"]] == ["Nadia K.", few.pseudonym]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "campaign=0", "surprise=1"])
def test_json_refuses_a_bad_query(world: World, client: Client, query: str) -> None:
    answer = client.get(f"/api/v1/leaderboard?{query}", headers=key(world, "leaderboards:read"))
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert answer.json["field"] == query.split("=")[0]


def test_json_needs_its_scope_and_shows_one_brand_only(world: World, client: Client) -> None:
    assert client.get("/api/v1/leaderboard").status_code == 401
    assert client.get("/api/v1/leaderboard", headers=key(world, "responses:read")).status_code == 403
    other = make_world(world.session, "other")
    advocates_with(other, 4)
    answer = client.get(f"/api/v1/leaderboard?campaign={other.campaign.id}", headers=key(world, "leaderboards:read"))
    assert answer.json["rows"] == []


def test_an_advocate_sees_their_place_even_far_down(world: World, client: Client) -> None:
    advocates = advocates_with(world, *range(14, 0, -1))
    page = client.get(board_path(world, client, advocates[12])).text
    assert "You are number 13 of 14." in page
    assert page.count('<li class="mine"') == 1
    for neighbour in (10, 11, 13):
        assert advocates[neighbour].pseudonym in page
    assert client.get(board_path(world, client, advocates[0])).text.count("(you)") == 1


def test_an_advocate_without_points_is_told_how_to_begin(world: World, client: Client) -> None:
    page = client.get(board_path(world, client, world.advocate()))
    assert page.status_code == 200
    assert "You have no place yet." in page.text


def test_who_left_the_board_is_named_nowhere_and_still_sees_their_place(
    world: World, client: Client, staff: Client
) -> None:
    first, hidden, third = advocates_with(world, 3, 2, 1)
    show_name(world.session, hidden, "Canary Name", on_board=False)
    seen = [board_path(world, client, one) for one in (first, third)] + [
        "/console/leaderboard",
        "/console/leaderboard.csv",
    ]
    for path in seen:
        page = staff.get(path).text
        assert "Canary Name" not in page
        assert hidden.pseudonym not in page
    listed = client.get("/api/v1/leaderboard", headers=key(world, "leaderboards:read")).json["rows"]
    assert [row["rank"] for row in listed] == [1, 3]
    own = client.get(board_path(world, client, hidden)).text
    assert "You are number 2 of 3." in own
    assert "Only you see your place" in own


def test_the_reasons_are_told_in_plain_words(world: World, client: Client) -> None:
    advocate = world.advocate()
    link = world.link(advocate, "whatsapp")
    click(world, link)
    click(world, link, agent=FACEBOOK, visitor=2)
    click(world, link, visitor=3, is_own=True)
    convert(world, link, "A")
    undone = convert(world, link, "B")
    refund(world, undone, link)
    share(world, link)
    catch_up(world)
    page = client.get(board_path(world, client, advocate) + "/why").text
    for words in (
        "Your points now: 21.00", "Somebody followed your link (WhatsApp)", "A purchase was given back",
        "Link preview", "Own click", "1 share of yours reached people",
    ):  # fmt: skip
        assert words in page


def test_the_pages_speak_spanish(world: World, client: Client, staff: Client) -> None:
    (advocate,) = advocates_with(world, 1)
    path = board_path(world, client, advocate)
    for address in (path, f"{path}/why", "/console/leaderboard", "/console/links"):
        page = staff.get(f"{address}?lang=es")
        assert page.status_code == 200
        assert '<html lang="es"' in page.text


@pytest.mark.parametrize("tail", ["", "/why"])
def test_a_forged_or_revoked_token_opens_nothing(world: World, client: Client, tail: str) -> None:
    advocate = world.advocate()
    path = board_path(world, client, advocate)
    assert client.get(f"/board/forged{tail}").status_code == 404
    assert client.get(f"{path}x{tail}").status_code == 404
    assert client.get(path + tail).headers["Cache-Control"] == "private, no-store"
    advocate.token_epoch += 1
    assert client.get(path + tail).status_code == 410


def test_the_form_without_script_chooses_time_and_filters(world: World, staff: Client) -> None:
    madrid = world.location("madrid")
    (there,) = advocates_with(world, 1, location_id=madrid.id)
    while fold_windows(world.session, 500):
        pass
    page = staff.get(f"/console/leaderboard?window=30&location={madrid.id}&channel=x").text
    assert there.pseudonym in page
    assert '<option value="30" selected>' in page
    assert '<option value="x" selected>' in page
    all_time = staff.get(f"/console/leaderboard?location={madrid.id}&channel=x").text
    assert "All time takes one filter, so these are left out here: Channel." in all_time
    assert staff.get("/console/leaderboard?window=campaign").status_code == 422
    assert staff.get("/console/leaderboard?window=8").status_code == 422


def test_rates_are_a_page_a_table_and_a_resource(world: World, staff: Client, client: Client) -> None:
    (advocate,) = advocates_with(world, 25)
    link = world.link(advocate, "email")
    for order in "ABCDE":
        convert(world, link, order)
    catch_up(world)
    page = staff.get("/console/leaderboard/rates").text
    assert advocate.pseudonym in page
    rows = list(csv.reader(io.StringIO(staff.get("/console/leaderboard/rates.csv").text.lstrip("\ufeff"))))
    assert [(row[0], row[1], row[5], row[6]) for row in rows[1:]] == [("1", advocate.pseudonym, "5", "25")]
    answer = client.get("/api/v1/leaderboard/rates", headers=key(world, "leaderboards:read"))
    (row,) = answer.json["rows"]
    assert row["low"] < row["rate"] < row["high"]
    assert (answer.json["ranked"], answer.json["too_few"], answer.json["least_clicks"]) == (1, 0, 20)
    assert "Nobody can be ranked by rate yet" in staff.get("/console/leaderboard/rates?window=7").text
