"""How points count, edited in the console: first who would move, then stored, and never two editors at once."""

import re

import pytest

from amplify.accounts.services import create_user
from amplify.core.errors import Invalid
from amplify.leaderboards import preview as previews
from amplify.leaderboards.boards import find_board
from amplify.leaderboards.making import make
from amplify.leaderboards.preview import preview
from amplify.leaderboards.queries import top
from amplify.leaderboards.scoring import in_force
from amplify.leaderboards.services import rebuild
from tests.client import Client
from tests.leaderboards.scene import advocates_with, catch_up
from tests.leaderboards.test_services import convert
from tests.tracking.world import NOON, World

PAGE = "/console/leaderboard/scoring"


@pytest.fixture
def admin(world: World, client: Client) -> Client:
    user = create_user(world.session, world.brand, email="ada@acme.example", role="admin", password="correct horse 9!")
    client.sign_in(user)
    return client


def filled(page: str, **changes: str) -> dict[str, str]:
    """The form as the page shows it, with changes."""
    shown = {name: value for tag in re.findall(r"<input[^>]+>", page) if (name := said(tag, "name"))
             if 'type="radio"' not in tag for value in [said(tag, "value")]}  # fmt: skip
    return {**shown, "tie_rule": "earliest", **changes}


def said(tag: str, attribute: str) -> str:
    found = re.search(rf'{attribute}="([^"]*)"', tag)
    return found[1] if found else ""


def order(world: World) -> list[int]:
    board = find_board(world.session, world.brand.id)
    assert board is not None
    return [row.advocate_id for row in top(world.session, board, 9, NOON)]


def test_a_change_is_looked_at_then_stored_then_followed_by_the_boards(world: World, admin: Client) -> None:
    clicker, buyer = advocates_with(world, 5, 1)
    convert(world, world.link(buyer, "email"), "A")
    catch_up(world)
    assert order(world) == [buyer.id, clicker.id]
    seen = admin.post_form(f"{PAGE}/preview", filled(admin.get(PAGE).text, conversion="0.5"))
    assert seen.status_code == 200
    assert "2 of 2 would change their rank." in seen.text
    world.session.refresh(world.brand)
    assert world.brand.weights["conversion"] == 20_000
    assert admin.post_form(PAGE, filled(seen.text)).status_code == 303
    world.session.refresh(world.brand)
    assert world.brand.weights["conversion"] == 500
    assert "The boards are being made again" in admin.get(PAGE).text
    assert order(world) == [buyer.id, clicker.id]
    world.session.commit()
    while make(world.session, 5):
        pass
    assert order(world) == [clicker.id, buyer.id]
    assert "The boards are being made again" not in admin.get(PAGE).text


def test_what_was_not_looked_at_is_not_stored(world: World, admin: Client) -> None:
    advocates_with(world, 1)
    answer = admin.post_form(PAGE, filled(admin.get(PAGE).text, half_life_days="3"))
    assert "would change their rank" in answer.text
    world.session.refresh(world.brand)
    assert world.brand.half_life_days == 30


def test_the_second_of_two_editors_is_told(world: World, admin: Client) -> None:
    first, second = (
        admin.post_form(f"{PAGE}/preview", filled(admin.get(PAGE).text, half_life_days=days)).text for days in "37"
    )
    assert admin.post_form(PAGE, filled(first)).status_code == 303
    refused = admin.post_form(PAGE, filled(second))
    assert refused.status_code == 409
    world.session.refresh(world.brand)
    assert world.brand.half_life_days == 3


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("half_life_days", "NaN", "between 0.5 and 3650"),
        ("half_life_days", "Infinity", "between 0.5 and 3650"),
        ("human_click", "9" * 40, "between 0 and 1000000"),
        ("tie_rule", "luck", "Not a valid choice"),
    ],
)
def test_a_mistake_is_shown_at_its_field(world: World, admin: Client, field: str, value: str, says: str) -> None:
    answer = admin.post_form(f"{PAGE}/preview", filled(admin.get(PAGE).text, **{field: value}))
    assert answer.status_code == 422
    assert says in answer.text
    assert "Store these rules" not in answer.text


def test_the_preview_is_what_the_rebuild_then_makes(world: World) -> None:
    advocates = advocates_with(world, 3, 1, 4, 1, 5)
    convert(world, world.link(advocates[1], "email"), "A")
    catch_up(world)
    now = in_force(world.session, world.brand.id)
    world.brand.weights, world.brand.half_life_days = {"human_click": 1000, "conversion": 1500}, 0.5
    then = now._replace(weights=world.brand.weights, half_life_days=0.5)
    seen = preview(world.session, world.brand.id, now, then)
    assert [move.before for move in seen.first] == [1, 2, 3, 4, 5]
    rebuild(world.session, world.brand.id)
    board = find_board(world.session, world.brand.id)
    assert board is not None
    rebuilt = {row.name: row.rank for row in top(world.session, board, 9, NOON)}
    assert {move.name: move.after for move in seen.first} == rebuilt
    assert seen.moved == sum(move.before != move.after for move in seen.first)


def test_too_large_a_ledger_is_not_previewed_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "MOST", 2)
    advocates_with(world, 3)
    rules = in_force(world.session, world.brand.id)
    with pytest.raises(Invalid) as refused:
        preview(world.session, world.brand.id, rules, rules)
    assert (refused.value.field, refused.value.rule) == ("preview", "too-large")


def test_only_an_admin_may(world: World, client: Client) -> None:
    user = create_user(world.session, world.brand, email="bea@acme.example", role="brand", password="correct horse 9!")
    client.sign_in(user)
    assert client.get(PAGE).status_code == 403
    assert "How points count" not in client.get("/console/leaderboard").text
