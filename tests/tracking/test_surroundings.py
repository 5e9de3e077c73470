"""What gives away a machine that says nothing: when it came, and what else it opened."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from amplify.asks.models import Ask
from amplify.delivery.models import Message
from amplify.sharing.models import Advocate, ShareLink
from amplify.surveys.models import Response
from amplify.tracking.models import ClickVerdict, RecentClick
from amplify.tracking.services import track
from amplify.tracking.surroundings import read_surroundings
from tests.tracking.world import CHROME, IPHONE, NOON, World, click

S = timedelta(seconds=1)


def rules(world: World, at_once: int = 100) -> list[str]:
    """Judge what is there; the rules in the order of the clicks."""
    while track(world.session, at_once):
        pass
    return stored_rules(world)


def stored_rules(world: World) -> list[str]:
    return list(world.session.scalars(sa.select(ClickVerdict.rule).order_by(ClickVerdict.click_id)))


def links(world: World, *channels: str) -> list[ShareLink]:
    """Links of one advocate."""
    advocate = world.advocate()
    return [world.link(advocate, channel) for channel in channels]


def mailed(world: World, link: ShareLink, before: timedelta) -> None:
    """A mail that led to this link was sent so long before noon."""
    advocate = world.session.get_one(Advocate, link.advocate_id)
    answer = Response(
        brand_id=world.brand.id, customer_id=advocate.customer_id, source="test", external_id=str(link.id),
        body_hash="", scale="nps", given=10, score=10.0, category="promoter", answered_at=NOON - before,
    )  # fmt: skip
    message = Message(
        brand_id=world.brand.id, message_id=f"{link.id}@test", channel="email", template="ask", locale="en",
        address="someone@example.org", state="sent", sent_at=NOON - before,
    )  # fmt: skip
    world.session.add_all([answer, message])
    world.session.flush()
    ids = {"advocate_id": advocate.id, "campaign_id": link.campaign_id, "response_id": answer.id}
    world.session.add(Ask(brand_id=world.brand.id, mode="mail", message_id=message.id, **ids))
    world.session.flush()


def test_three_links_of_one_advocate_within_seconds_are_a_scanners(world: World) -> None:
    for n, link in enumerate(links(world, "x", "facebook", "email")):
        click(world, link, later=n * S)
    assert rules(world) == ["links-burst"] * 3


def test_a_burst_is_recognised_across_rounds_and_takes_its_first_links_back(world: World) -> None:
    for n, link in enumerate(links(world, "x", "facebook", "email", "copy")):
        click(world, link, later=n * S)
    seen = []
    while track(world.session, 1):
        seen.append(stored_rules(world))
    assert seen == [["first-click"] * 1, ["first-click"] * 2, ["links-burst"] * 3, ["links-burst"] * 4]


def test_two_links_or_slow_reading_or_two_visitors_are_people(world: World) -> None:
    for n, link in enumerate(links(world, "x", "facebook")):
        click(world, link, later=n * S)
    for n, link in enumerate(links(world, "x", "facebook", "email")):
        click(world, link, later=n * 15 * S, visitor=2)
    for n, link in enumerate(links(world, "x", "facebook", "email")):
        click(world, link, visitor=3 + n)
    assert set(rules(world)) == {"first-click"}


def test_two_links_soon_after_the_mail_that_leads_to_them_are_a_scanners(world: World) -> None:
    pair = links(world, "x", "facebook")
    mailed(world, pair[0], 300 * S)
    for n, link in enumerate(pair):
        click(world, link, later=60 * n * S)
    assert rules(world) == ["mail-burst"] * 2


@pytest.mark.parametrize(
    ("seconds", "rule"), [(0, "mail-delivery"), (20, "mail-delivery"), (21, "first-click"), (-1, "first-click")]
)
def test_a_link_opened_when_its_mail_arrives_is_a_scanners(world: World, seconds: int, rule: str) -> None:
    (link,) = links(world, "x")
    mailed(world, link, seconds * S)
    click(world, link)
    assert rules(world) == [rule]


def test_a_mail_to_somebody_else_says_nothing(world: World) -> None:
    (link,), (other,) = links(world, "x"), links(world, "x")
    mailed(world, other, 5 * S)
    click(world, link)
    assert rules(world) == ["first-click"]


def test_an_advocate_who_tries_all_links_is_no_scanner(world: World) -> None:
    for link in links(world, "x", "facebook", "email"):
        click(world, link, is_own=True)
    assert rules(world) == ["own-cookie"] * 3


@pytest.mark.parametrize("at_once", [1, 100])
def test_who_asks_by_head_first_is_no_person(world: World, at_once: int) -> None:
    (link,) = links(world, "x")
    click(world, link, method="HEAD")
    click(world, link, later=3 * S)
    click(world, link, later=3 * S, visitor=2)
    click(world, link, later=3 * S, agent=IPHONE)
    click(world, link, later=11 * S)
    assert rules(world, at_once) == ["method-head", "head-burst", "first-click", "first-click", "first-click"]


def test_a_head_that_follows_at_once_counts_too_and_is_forgotten_soon(world: World) -> None:
    (link,) = links(world, "x")
    click(world, link)
    click(world, link, later=S, method="HEAD")
    assert rules(world) == ["head-burst", "method-head"]
    last = click(world, link, later=6 * 60 * S, agent=CHROME)
    assert rules(world)[-1] == "first-click"
    assert world.session.scalars(sa.select(RecentClick.click_id)).all() == [last.id]


def test_what_is_near_is_read_for_all_clicks_at_once(world: World) -> None:
    """As many statements for sixty clicks on sixty links as for one."""

    def statements(n: int) -> int:
        clicks = [click(world, world.link(world.advocate()), visitor=number) for number in range(n)]
        run: list[str] = []
        connection = world.session.connection()

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            run.append(statement)

        sa.event.listen(connection, "before_cursor_execute", note)
        read_surroundings(world.session, clicks)
        sa.event.remove(connection, "before_cursor_execute", note)
        return len(run)

    assert statements(60) == statements(1) == 6
