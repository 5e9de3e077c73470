"""Judging clicks: each once, in order, and only a person's first one counts."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.core import events
from amplify.sharing import services as sharing
from amplify.tracking import visitors
from amplify.tracking.events import HumansClicked
from amplify.tracking.models import Click, ClickVerdict, FirstClick, VisitorSalt
from amplify.tracking.services import track
from tests.tracking.world import CHROME, FACEBOOK, IPHONE, NOON, World, click


def verdicts(session: Session) -> list[str]:
    return list(session.scalars(sa.select(ClickVerdict.verdict).order_by(ClickVerdict.click_id)))


def test_each_kind_of_click_gets_its_verdict(world: World) -> None:
    link = world.link(world.advocate())
    click(world, link, visitor=1)
    click(world, link, visitor=1, later=timedelta(minutes=3))
    click(world, link, visitor=1, agent=IPHONE)
    click(world, link, visitor=2, agent=FACEBOOK)
    click(world, link, visitor=3, agent="curl/8.0")
    click(world, link, visitor=4, method="HEAD")
    click(world, link, visitor=5, purpose="prefetch")
    click(world, link, visitor=6, is_own=True)
    assert track(world.session, 100) == 8
    expected = ["human", "duplicate", "human", "preview", "bot", "head", "prefetch", "self"]
    assert verdicts(world.session) == expected


def test_a_visitor_counts_once_per_link(world: World) -> None:
    advocate = world.advocate()
    for channel in ("x", "whatsapp"):
        click(world, world.link(advocate, channel))
    track(world.session, 100)
    assert verdicts(world.session) == ["human", "human"]


def test_a_duplicate_is_found_across_rounds(world: World) -> None:
    link = world.link(world.advocate())
    for minute in range(5):
        click(world, link, later=timedelta(minutes=minute))
    while track(world.session, 2):
        pass
    assert verdicts(world.session) == ["human", *["duplicate"] * 4]


def test_a_machines_click_opens_no_window_for_the_person_after_it(world: World) -> None:
    link = world.link(world.advocate())
    click(world, link, purpose="prefetch")
    click(world, link, later=timedelta(seconds=1))
    track(world.session, 100)
    assert verdicts(world.session) == ["prefetch", "human"]


@pytest.mark.parametrize(("hours", "expected"), [(23.99, "duplicate"), (24, "human")])
def test_the_window_closes_after_24_hours(world: World, hours: float, expected: str) -> None:
    """With one key on both sides; real keys change at midnight, which only makes the window shorter."""
    link = world.link(world.advocate())
    for later in (timedelta(), timedelta(hours=hours)):
        click(world, link, later=later)
    world.session.execute(sa.update(Click).values(visitor="same"))
    world.session.expire_all()
    track(world.session, 100)
    assert verdicts(world.session) == ["human", expected]


def test_windows_that_are_over_are_forgotten(world: World) -> None:
    link = world.link(world.advocate())
    click(world, link, visitor=1)
    track(world.session, 100)
    click(world, link, visitor=2, later=timedelta(hours=25))
    track(world.session, 100)
    assert world.session.scalars(sa.select(FirstClick.at)).all() == [NOON + timedelta(hours=25)]


def test_only_human_first_clicks_are_told_in_order(world: World, told: list[HumansClicked]) -> None:
    link = world.link(world.advocate())
    wanted = [click(world, link, visitor=visitor).id for visitor in (1, 2)]
    click(world, link, visitor=1)
    click(world, link, visitor=3, agent=FACEBOOK)
    track(world.session, 100)
    (fact,) = told
    assert [(clicked.id, way) for clicked, way in fact.clicks] == [(number, link) for number in wanted]


@pytest.fixture
def told(world: World, monkeypatch: pytest.MonkeyPatch) -> list[HumansClicked]:
    """What the tracker publishes."""
    found: list[HumansClicked] = []
    monkeypatch.setitem(events._reactions, HumansClicked, [lambda _session, fact: found.append(fact)])
    return found


def test_the_first_human_click_confirms_the_share(world: World) -> None:
    link = world.link(world.advocate())
    share = sharing.open_share(world.session, link, "I slept like a stone.")
    click(world, link, agent=FACEBOOK, later=timedelta(seconds=2))
    track(world.session, 100)
    assert share.state == "opened"
    click(world, link, later=timedelta(seconds=9))
    click(world, link, visitor=2, later=timedelta(seconds=12))
    track(world.session, 100)
    assert (share.state, share.confirmed_at) == ("confirmed", NOON + timedelta(seconds=9))


def test_a_round_takes_no_more_than_it_may(world: World) -> None:
    link = world.link(world.advocate())
    for visitor in range(5):
        click(world, link, visitor=visitor)
    assert [track(world.session, 2) for _ in range(4)] == [2, 2, 1, 0]


def test_a_visitor_key_says_nothing_about_the_address_beyond_its_day(world: World) -> None:
    session = world.session

    def key(address: str, agent: str = CHROME, days: int = 0) -> str:
        at = NOON + timedelta(days=days)
        return visitors.visitor_key(session, secret="s", address=address, user_agent=agent, at=at)

    assert key("203.0.113.7") == key("203.0.113.250")
    assert key("::ffff:203.0.113.7") == key("203.0.113.7")
    assert key("2001:db8:1:2::3") == key("2001:db8:1:ffff::9")
    different = [
        key("203.0.113.7"),
        key("203.0.114.7"),
        key("2001:db8:1::"),
        key("2001:db8:2::"),
        key("203.0.113.7", IPHONE),
    ]
    different += [key("203.0.113.7", days=1), key("not an address")]
    assert len(set(different)) == len(different)
    assert all(len(one) == 32 for one in different)


def test_yesterdays_salt_is_destroyed_and_todays_is_kept(world: World) -> None:
    yesterday = visitors.salt_of(world.session, NOON - timedelta(days=1))
    today = visitors.salt_of(world.session, NOON)
    assert visitors.forget_salts(world.session, 100) == 1
    assert world.session.scalars(sa.select(VisitorSalt.salt)).all() == [today]
    assert visitors.salt_of(world.session, NOON - timedelta(days=1)) != yesterday
