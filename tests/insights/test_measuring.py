"""What a start brought, measured on rows that each test knows by heart, and once through the services."""

import random
from datetime import datetime, timedelta
from itertools import count

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import clock, jobs
from amplify.delivery.models import Message
from amplify.insights import effect
from amplify.insights.measuring import Measured, measure, measure_all
from amplify.rewards import services
from amplify.rewards.models import LeftOut, Push
from amplify.sharing.models import Advocate, Share, ShareLink
from amplify.sharing.services import link_for, open_share
from amplify.tracking.conversions import record_conversion
from amplify.tracking.models import Conversion
from amplify.tracking.schemas import ConversionIn
from amplify.tracking.services import track
from tests.client import Client
from tests.rewards.making import START, make_advocates, make_brand, make_rewarded, pushes_of
from tests.tracking.world import World, click
from tests.world import a_user

DAY = timedelta(days=1)
NUMBERS = count(1)


def started(session: Session, brand: Brand, people: int, holdout: int = 50, **reward: object) -> Campaign:
    """A live campaign that rewarded them, but for those it kept back."""
    make_advocates(session, brand, people)
    campaign = make_rewarded(session, brand, people, **reward)  # type: ignore[arg-type]
    campaign.audience = {**campaign.audience, "holdout_percent": holdout}
    with time_machine.travel(START, tick=False):
        campaigns.start_due(session, START)
        jobs.drain(session)
    return campaign


def groups(session: Session, campaign: Campaign) -> tuple[list[int], list[int]]:
    """The advocates who were rewarded and those who were kept back, best first."""
    kept = sa.select(LeftOut.advocate_id).where(LeftOut.campaign_id == campaign.id, LeftOut.rule == "holdout")
    return [push.advocate_id or 0 for push in pushes_of(session, campaign)], list(
        session.scalars(kept.order_by(LeftOut.rank))
    )


def compared(session: Session, campaign: Campaign) -> int:
    """How many were kept back above the last one who was rewarded: below, nobody would have got one."""
    last = sa.select(sa.func.max(Push.rank)).where(Push.campaign_id == campaign.id).scalar_subquery()
    kept = LeftOut.campaign_id == campaign.id, LeftOut.rule == "holdout", LeftOut.rank <= last
    return session.scalar(sa.select(sa.func.count(LeftOut.id)).where(*kept)) or 0


def shared(
    session: Session, campaign: Campaign, advocate_id: int, at: datetime = START + DAY, confirmed: bool = True
) -> ShareLink:
    link = ShareLink(
        brand_id=campaign.brand_id, code=f"m{next(NUMBERS)}", advocate_id=advocate_id, campaign_id=campaign.id,
        channel=f"x{next(NUMBERS)}", target_url=campaign.landing_url,
    )  # fmt: skip
    session.add(link)
    session.flush()
    session.add(
        Share(brand_id=campaign.brand_id, link_id=link.id, opened_at=at, confirmed_at=at if confirmed else None)
    )
    session.flush()
    return link


def bought(
    session: Session, link: ShareLink, minor: int = 1000, at: datetime = START + 2 * DAY, **more: object
) -> None:
    fields = {"currency": "USD", "refunded_minor": 0} | more
    session.add(
        Conversion(
            brand_id=link.brand_id, order_id=f"o{next(NUMBERS)}", body_hash="", amount_minor=minor, occurred_at=at,
            link_id=link.id, attribution="attributed", window_days=90, **fields,
        )
    )  # fmt: skip
    session.flush()


def measured_at(session: Session, campaign: Campaign, at: datetime = START + 10 * DAY) -> Measured:
    with time_machine.travel(at, tick=False):
        found = measure(session, campaign)
    assert found is not None
    return found


def test_what_has_not_started_is_not_measured(session: Session, brand: Brand) -> None:
    assert measure(session, make_rewarded(session, brand)) is None


def test_both_groups_are_counted_in_the_same_way(session: Session, brand: Brand) -> None:
    campaign = started(session, brand, 30)
    rewarded, kept = groups(session, campaign)
    for advocate_id, orders in ((rewarded[0], 2), (rewarded[1], 1), (rewarded[2], 0), (kept[0], 1)):
        link = shared(session, campaign, advocate_id)
        for _order in range(orders):
            bought(session, link)
    found = measured_at(session, campaign)
    assert (found.rewarded.people, found.held_out.people) == (len(rewarded), compared(session, campaign))
    assert found.rewarded.having == {"shares": 3, "clicks": 0, "conversions": 2, "revenue": 2}
    assert found.held_out.having == {"shares": 1, "clicks": 0, "conversions": 1, "revenue": 1}
    assert found.rewarded.sums["conversions"][1:] == (3, 5)
    assert found.rewarded.sums["revenue"][1:] == (3000, 5_000_000)
    gain = effect.gain(found)
    assert gain is not None
    assert gain.conversions == pytest.approx(3 - len(rewarded) / found.held_out.people)


def test_only_what_shares_of_the_window_brought_in_it_counts(session: Session, brand: Brand) -> None:
    campaign = started(session, brand, 10, holdout=0)
    rewarded, _kept = groups(session, campaign)
    before = shared(session, campaign, rewarded[0], START - DAY)
    bought(session, before)  # a share from before: in both groups it says nothing about the reward
    link = shared(session, campaign, rewarded[1])
    bought(session, link, at=START + DAY / 2)  # before the share
    bought(session, link, at=START + 11 * DAY)  # after the window
    bought(session, link, 700, refunded_minor=700, refunded_at=START + 3 * DAY)
    bought(session, link, 700, refunded_minor=200)
    bought(session, link, 900, currency="EUR")
    shared(session, campaign, rewarded[2], confirmed=False)
    found = measured_at(session, campaign).rewarded
    assert (found.having["shares"], found.having["conversions"]) == (1, 1)
    assert (found.sums["conversions"].total, found.sums["revenue"].total) == (2, 500)


def test_the_window_ends_with_the_campaign(session: Session, brand: Brand) -> None:
    campaign = started(session, brand, 6, holdout=0)
    rewarded, _kept = groups(session, campaign)
    link = shared(session, campaign, rewarded[0])
    with time_machine.travel(START + 3 * DAY, tick=False):
        campaigns.end(session, campaign, "user:1")
    bought(session, link, at=START + 4 * DAY)
    assert measured_at(session, campaign).rewarded.having["conversions"] == 0


def test_whoever_was_kept_back_below_the_last_reward_is_no_comparison(session: Session, brand: Brand) -> None:
    campaign = started(session, brand, 60, cap_pushes=10)
    rewarded, kept = groups(session, campaign)
    found = measured_at(session, campaign)
    assert (found.rewarded.people, found.held_out.people) == (10, compared(session, campaign))
    assert found.held_out.people < len(kept)
    assert len(rewarded) == 10


def test_a_person_stays_in_their_group_whatever_became_of_the_mail(session: Session, brand: Brand) -> None:
    campaign = started(session, brand, 20)
    first, second, third, *_others = pushes_of(session, campaign)
    first.state, first.sent_at = "redeemed", START
    first.redeemed_at = START
    second.state, third.state = "failed", "suppressed"
    session.flush()
    found = measured_at(session, campaign)
    assert found.rewarded.people == found.delivered.pushed
    told = {one.name: (one.part, one.whole) for one in effect.rates(found)}
    assert (told["failed"], told["redeemed"][0]) == ((1, found.delivered.pushed), 1)
    assert found.delivered.cost_minor == 500 * (found.delivered.pushed - 1)


def test_without_a_holdout_nothing_is_compared(session: Session, brand: Brand) -> None:
    found = measured_at(session, started(session, brand, 5, holdout=0))
    assert effect.gain(found) is None
    assert all(one.interval is None and one.difference is None for one in effect.comparisons(found))


def test_a_cost_per_conversion_has_no_end_where_there_may_be_none(session: Session, brand: Brand) -> None:
    campaign = started(session, brand, 40)
    rewarded, kept = groups(session, campaign)
    for advocate_id in (*rewarded[:3], kept[0]):
        bought(session, shared(session, campaign, advocate_id))
    gain = effect.gain(measured_at(session, campaign))
    assert gain is not None
    assert gain.conversions_interval is not None
    assert gain.conversions_interval.holds_zero
    assert gain.cost_interval is not None
    assert gain.cost_interval[1] is None


def test_the_page_and_the_file_say_it(session: Session, client: Client, brand: Brand) -> None:
    brand.postal_address = "1 Main St"
    client.sign_in(a_user(session, brand, "brand"))
    campaign = started(session, brand, 60)
    rewarded, _kept = groups(session, campaign)
    for advocate_id in rewarded[:20]:
        bought(session, shared(session, campaign, advocate_id))
    page = client.get(f"/console/campaigns/{campaign.id}/effect")
    assert page.status_code == 200
    assert "Cost per conversion gained" in page.text
    lines = client.get(f"/console/campaigns/{campaign.id}/effect.csv").text.splitlines()
    assert len(lines) == 1 + 3 + 7 + 2 + 4
    draft = make_rewarded(session, brand)
    assert "Nothing to measure yet" in client.get(f"/console/campaigns/{draft.id}/effect").text


def visit_and_buy(world: World, advocate_id: int, visitor: int, buys: bool) -> None:
    """They share, somebody follows an hour later, and buys or not."""
    advocate, now = world.session.get_one(Advocate, advocate_id), clock.now()
    link = link_for(world.session, world.brand, advocate, world.campaign, "whatsapp", locale="en")
    open_share(world.session, link, "I liked it.")
    hit = click(world, link, visitor=visitor, at=now + timedelta(hours=1))
    if buys:
        order = ConversionIn.model_validate(
            {"order_id": f"o{visitor}", "click_id": hit.token, "amount_minor": 5000, "currency": "USD",
             "occurred_at": now + timedelta(minutes=62)}
        )  # fmt: skip
        with time_machine.travel(now + timedelta(hours=2), tick=False):
            record_conversion(world.session, world.brand.id, order, window_days=90)


def test_from_the_start_to_the_figures_through_the_services(session: Session, brand: Brand) -> None:
    """400 people, half of them kept back; every second share of the rewarded leads to an order, of the others one in
    five: shared, clicked, judged, bought and attributed as in life, and the interval finds it."""
    campaign = started(session, brand, 400)
    rewarded, kept = groups(session, campaign)
    world, chance, converted = World(session, brand, campaign), random.Random(5), {True: 0, False: 0}  # noqa: S311
    with time_machine.travel(START + DAY, tick=False) as moved:
        for place, advocate_id in enumerate([*rewarded, *kept]):
            is_rewarded = place < len(rewarded)
            visit_and_buy(world, advocate_id, place, buys=chance.random() < (0.5 if is_rewarded else 0.2))
        moved.shift(DAY)
        while track(session, 500):
            pass
        found = measure(session, campaign)
    assert found is not None
    orders = sa.select(ShareLink.advocate_id).join(Conversion, Conversion.link_id == ShareLink.id)
    for advocate_id in session.scalars(orders):
        converted[advocate_id in rewarded] += 1
    below = len(kept) - found.held_out.people
    assert found.rewarded.having["conversions"] == converted[True]
    assert 0 <= converted[False] - found.held_out.having["conversions"] <= below
    assert found.rewarded.having["clicks"] == len(rewarded)
    told = {one.name: one for one in effect.comparisons(found)}
    lift = told["conversions_rate"]
    assert lift.interval is not None
    assert lift.difference is not None
    assert 0 < lift.interval.low < lift.difference < lift.interval.high
    gain = effect.gain(found)
    assert gain is not None
    assert gain.cost_per_conversion == pytest.approx(500 * len(rewarded) / gain.conversions)
    reward = services.reward_of(session, campaign)
    assert reward is not None
    assert found.delivered.cost_minor == reward.spent_minor


@pytest.fixture
def twice(session: Session) -> Campaign:
    """A weekly campaign that has started twice, with orders of the first rewarded person in each week."""
    brand = make_brand(session)
    make_advocates(session, brand, 12)
    campaign = make_rewarded(session, brand, 12)
    campaign.audience = {**campaign.audience, "holdout_percent": 50}
    campaign.repeats = {"kind": "weekly", "weekdays": [5]}
    for at in (START, START + 7 * DAY):
        with time_machine.travel(at, tick=False):
            campaigns.ring(session, at)
            jobs.drain(session)
    first = groups(session, campaign)[0][0]
    for day in (1, 2, 8):
        bought(session, shared(session, campaign, first, START + day * DAY), at=START + day * DAY)
    return campaign


def test_each_start_is_measured_until_the_next_and_the_sum_counts_each_order_once(
    session: Session, twice: Campaign
) -> None:
    with time_machine.travel(START + 10 * DAY, tick=False):
        one, two, both = measure(session, twice, 1), measure(session, twice, 2), measure_all(session, twice)
        assert measure(session, twice) == two
        assert measure(session, twice, 3) is None
    assert one and two and both  # noqa: PT018
    assert (one.since, one.until, two.since) == (START, START + 7 * DAY, START + 7 * DAY)
    assert [m.rewarded.sums["conversions"].total for m in (one, two, both)] == [2, 1, 3]
    assert both.rewarded.people == one.rewarded.people + two.rewarded.people
    assert both.held_out.people == one.held_out.people + two.held_out.people
    assert both.delivered.pushed == one.delivered.pushed + two.delivered.pushed
    assert both.delivered.cost_minor == one.delivered.cost_minor + two.delivered.cost_minor
    assert (both.since, both.until) == (START, START + 10 * DAY)


def test_the_pages_and_files_show_one_start_or_all_of_them(session: Session, twice: Campaign, client: Client) -> None:
    client.sign_in(a_user(session, session.get_one(Brand, twice.brand_id)))
    base = f"/console/campaigns/{twice.id}"
    pushed = [sum(push.occurrence == n for push in pushes_of(session, twice)) for n in (1, 2)]
    for page in ("effect", "results"):
        for start, given in (("1", pushed[0]), ("2", pushed[1]), ("all", sum(pushed))):
            html = client.get(f"{base}/{page}?start={start}").text
            assert 'selected">' not in html
            tile = " ".join(html.partition("Rewards given")[2].split())
            assert f'<p class="value">{given}</p>' in tile
            assert f"{page}.csv?start={start}" in html
        for wrong in ("3", "0", "x", "1; drop"):
            assert client.get(f"{base}/{page}", query_string={"start": wrong}).status_code == 404
        assert client.get(f"{base}/{page}.csv?start=9").status_code == 404
    rows = client.get(f"{base}/results.csv?start=2").text.splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == {"2"}
    assert client.get(f"{base}/effect.csv?start=1").headers["Content-Disposition"].endswith('-start-1.csv"')


def test_figures_ask_for_themselves_again_while_the_campaign_runs(
    session: Session, twice: Campaign, client: Client
) -> None:
    client.sign_in(a_user(session, session.get_one(Brand, twice.brand_id)))
    for page in ("effect", "results"):
        address = f"/console/campaigns/{twice.id}/{page}?start=2"
        assert f'hx-get="{address}"' in client.get(address).text
    campaigns.end(session, twice, "user:1")
    session.flush()
    assert "hx-get" not in client.get(f"/console/campaigns/{twice.id}/results").text


def test_opens_are_shown_as_unreliable_and_only_where_the_brand_counts_them(
    session: Session, twice: Campaign, client: Client
) -> None:
    brand = session.get_one(Brand, twice.brand_id)
    client.sign_in(a_user(session, brand))
    pages = [f"/console/campaigns/{twice.id}/{name}?start=1" for name in ("effect", "results")]
    assert all("Opened (unreliable)" not in client.get(page).text for page in pages)
    brand.counts_opens = True
    pushes = [push for push in pushes_of(session, twice) if push.occurrence == 1]
    ids = [push.message_id for push in pushes]
    for message, kind in zip(
        session.scalars(sa.select(Message).where(Message.message_id.in_(ids))),
        ("machine", "proxy", "person"),
        strict=False,
    ):
        message.opened_by = kind
    session.flush()
    found = measure(session, twice, 1)
    assert found is not None
    assert (found.delivered.opened, found.delivered.opened_by_machines) == (2, 1)
    assert all("Opened (unreliable)" in client.get(page).text for page in pages)
    assert "1 more by a machine" in client.get(pages[1]).text
