"""The console's pages about links."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from amplify.accounts.services import create_user
from amplify.core.settings import Settings
from amplify.sharing.models import Advocate
from amplify.sharing.outcomes import outcomes
from amplify.tracking import figures, queries
from amplify.tracking.services import track
from tests.client import Client
from tests.tracking.world import CHROME, FACEBOOK, NOON, World, click, make_world


@pytest.fixture
def staff(world: World, client: Client) -> Client:
    user = create_user(world.session, world.brand, email="bea@acme.example", role="brand", password="correct horse 9!")
    client.sign_in(user)
    return client


def busy_link(world: World) -> int:
    link = world.link(world.advocate("Amber Heron 41"), "whatsapp")
    click(world, link)
    click(world, link)
    click(world, link, visitor=2, agent=FACEBOOK)
    track(world.session, 10)
    click(world, link, visitor=3)
    return link.id


def test_links_show_all_requests_beside_those_of_people(world: World, staff: Client) -> None:
    link_id = busy_link(world)
    (row,), total = queries.links(world.session, world.brand.id)
    assert (row.raw, row.human, row.orders, total) == (4, 1, 0, 1)
    page = staff.get("/console/links").text
    assert "Amber Heron 41" in page
    assert f"/console/links/{link_id}" in page
    assert "WhatsApp" in page


def test_the_reasons_name_each_rule(world: World, staff: Client) -> None:
    link_id = busy_link(world)
    found = [(r.verdict, r.rule, r.n) for r in queries.reasons(world.session, world.brand.id, link_id=link_id)]
    assert sorted(found, key=repr) == [
        ("duplicate", "visitor-24h", 1),
        ("human", "first-click", 1),
        ("preview", "agent:facebookexternalhit", 1),
        (None, "", 1),
    ]
    page = staff.get(f"/console/links/{link_id}").text
    for words in ("visitor-24h", "agent:facebookexternalhit", "Being looked at", "facebookexternalhit/1.1"):
        assert words in page


def test_links_are_sorted_and_paged(world: World) -> None:
    advocate = world.advocate()
    for n in range(3):
        link = world.link(advocate, f"channel{n}")
        for visitor in range(n):
            click(world, link, visitor=visitor)
    rows, _ = queries.links(world.session, world.brand.id, sort="-raw")
    assert [row.raw for row in rows] == [2, 1, 0]
    rows, _ = queries.links(world.session, world.brand.id, sort="raw")
    assert [row.raw for row in rows] == [0, 1, 2]
    assert queries.links(world.session, world.brand.id, sort="code; DROP TABLE clicks")[1] == 3
    assert queries.links(world.session, world.brand.id, page=2)[0] == []


def test_a_links_latest_clicks_are_told_once_each_judged_or_not(world: World) -> None:
    link, other = world.link(world.advocate(), "x"), world.link(world.advocate(), "whatsapp")
    agents = [f"{CHROME} {n}" for n in range(6)]
    for n, agent in enumerate(agents):
        click(world, link, visitor=n, agent=agent)
        click(world, other, visitor=n)
        if n == 3:
            track(world.session, 100)
    told = queries.clicks(world.session, link.id)
    assert [row.user_agent for row in told] == agents[::-1]
    assert [row.verdict for row in told] == [None, None, *["human"] * 4]
    assert [row.user_agent for row in queries.clicks(world.session, link.id, 3)] == agents[:2:-1]
    assert [row.user_agent for row in queries.clicks(world.session, link.id, 1)] == agents[:4:-1]


def test_another_brands_link_is_404(world: World, staff: Client) -> None:
    other = make_world(world.session, "other")
    foreign = other.link(other.advocate())
    assert staff.get(f"/console/links/{foreign.id}").status_code == 404
    assert foreign.code not in staff.get("/console/links").text


@pytest.mark.parametrize("query", ["page=0", "page=x", "campaign=-1", "page=1&page=2", "page=99999999999999999999"])
def test_a_bad_query_is_a_kind_422(staff: Client, query: str) -> None:
    response = staff.get(f"/console/links?{query}")
    assert (response.status_code, response.mimetype) == (422, "text/html")


def test_nobody_sees_links_without_signing_in(client: Client) -> None:
    assert client.get("/console/links").status_code == 302


def test_an_advocate_is_told_what_followed_from_their_links(world: World, settings: Settings) -> None:
    busy_link(world)
    advocate = world.session.scalars(sa.select(Advocate)).one()
    figures = outcomes(world.session, advocate)
    assert [figure.value for figure in figures[:2]] == [1, 0]
    assert "4" in str(figures[0].note)
    assert outcomes(world.session, world.advocate()) == []


def test_the_days_of_a_link_are_those_of_the_brands_clock(world: World) -> None:
    world.brand.timezone = "Europe/Madrid"
    made = world.link(world.advocate(), created_at=NOON - timedelta(days=2))
    # In UTC both are of the evening before; 22:30 there is half past midnight in Madrid.
    for hours, visitor, agent in ((-14.5, 1, CHROME), (-13.5, 2, CHROME), (-1, 3, CHROME), (-1, 4, FACEBOOK)):
        click(world, made, visitor=visitor, agent=agent, later=timedelta(hours=hours))
    track(world.session, 10)
    chart = figures.days_of(world.session, world.brand, queries.link_of(world.session, world.brand.id, made.id))
    assert [series.values for series in chart.series] == [[0, 1, 3], [0, 1, 2]]
    assert len(chart.categories) == 3


def test_a_links_page_draws_its_days(world: World, staff: Client) -> None:
    link_id = busy_link(world)
    assert "data-chart" in staff.get(f"/console/links/{link_id}").text
    quiet = world.link(world.advocate())
    assert "data-chart" not in staff.get(f"/console/links/{quiet.id}").text
