"""The console's menu: in named groups, each with what a role may open."""

import re

from sqlalchemy.orm import Session

from tests.client import Client
from tests.world import a_brand, a_user


def menus(session: Session, client: Client, role: str, page: str = "/console") -> list[str]:
    """The menu of the side bar and that of the phone."""
    client.sign_in(a_user(session, a_brand(session), role))
    return re.findall(r'<nav class="nav"[^>]*>(.*?)</nav>', client.get(page).text, re.DOTALL)


def test_the_menu_stands_in_named_groups(session: Session, client: Client) -> None:
    bar, phone = menus(session, client, "admin")
    named = ["Answers", "Campaigns and rewards", "Advocates", "Setup"]
    assert re.findall(r"<summary>([^<]+)", bar) == re.findall(r"<summary>([^<]+)", phone) == named
    assert bar.count("<a ") == phone.count("<a ") >= 17


def test_the_group_of_the_page_is_open_and_no_other(session: Session, client: Client) -> None:
    for menu in menus(session, client, "admin", "/console/keys"):
        assert re.findall(r"<details[^>]* open><summary>([^<]+)", menu) == ["Setup"]
        assert 'aria-current="page"' in menu


def test_a_group_without_anything_for_a_role_is_not_there(session: Session, client: Client) -> None:
    bar, phone = menus(session, client, "brand")
    assert "Setup" not in bar + phone
    assert "Campaigns and rewards" in bar
