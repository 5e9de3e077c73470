"""By which way a reward reaches somebody, and the next way when one is closed: the same code, the same Message-ID."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from amplify.campaigns import services as campaigns
from amplify.core import jobs
from amplify.core.settings import Settings
from amplify.customers.models import Customer
from amplify.delivery import endpoints, vapid
from amplify.delivery.models import Message, Wishes
from amplify.delivery.services import suppress
from amplify.rewards import approving
from amplify.rewards.dry_run import dry_run
from amplify.rewards.models import LeftOut
from tests.delivery.receivers import Program, PushService, receiving
from tests.rewards.making import BEFORE, START, make_advocates, make_brand, make_rewarded
from tests.rewards.started import Started

NOON = BEFORE.replace(hour=12)


@pytest.fixture
def service(settings: Settings) -> Iterator[PushService]:
    one = PushService(vapid.keys(settings.secret).public)
    with receiving(one):
        yield one


@pytest.fixture
def program() -> Iterator[Program]:
    one = Program()
    with receiving(one):
        yield one


class Scene(Started):
    """So many advocates, and a campaign that rewards three of them when `start` is called."""

    def __init__(self, session: Session, settings: Settings, people: int = 3) -> None:
        self.session, self.settings = session, settings
        self.brand = make_brand(session)
        self.advocates = make_advocates(session, self.brand, people)
        self.customers = [session.get_one(Customer, one.customer_id) for one in self.advocates]

    def subscribe(self, customer: Customer, service: PushService) -> None:
        told = service.subscription
        said = {"unique": f"{customer.id}", "person": customer.person, "shown": "", "key": self.settings.secret}
        endpoints.add(self.session, self.brand.id, "webpush", told, **said)


@pytest.fixture
def scene(session: Session, settings: Settings) -> Scene:
    return Scene(session, settings)


def test_a_person_without_an_address_is_reached_by_the_brands_next_way(scene: Scene, service: PushService) -> None:
    scene.customers[0].email = scene.customers[1].email = None
    scene.subscribe(scene.customers[0], service)
    pushes = scene.start()
    assert [push.channel for push in pushes] == ["webpush", "email"]
    assert scene.session.scalars(sa.select(LeftOut.rule)).all() == ["no-email"]
    scene.send()
    assert [push.state for push in scene.pushes()] == ["sent", "sent"]
    (said,) = service.took
    assert str(pushes[0].code) in said["body"]


def test_the_brands_own_program_is_told_whom_it_is_for(
    scene: Scene, session: Session, settings: Settings, program: Program
) -> None:
    scene.brand.channel_order = ["webhook", "email"]
    program.secret = endpoints.add_webhook(session, scene.brand.id, program.url, settings.secret)[1]
    scene.customers[2].external_id = None  # unknown to the program: by mail
    pushes = scene.start()
    assert [push.channel for push in pushes] == ["webhook", "webhook", "email"]
    scene.send()
    assert {(one["data"]["customer"], one["data"]["code"]) for one in program.took} == {
        ("x0", pushes[0].code),
        ("x1", pushes[1].code),
    }


def test_a_closed_way_is_followed_by_the_next_with_the_same_code_and_id(scene: Scene, service: PushService) -> None:
    scene.brand.channel_order = ["webpush", "email"]
    scene.subscribe(scene.customers[0], service)
    before = [(push.code, push.message_id) for push in scene.start()]
    service.answers = [(410, {})]
    scene.send()
    pushes = scene.pushes()
    assert [(push.channel, push.state) for push in pushes] == [("email", "sent")] * 3
    assert [(push.code, push.message_id) for push in pushes] == before


def test_who_wants_no_mail_gets_it_otherwise_or_is_left_out_with_the_rule(scene: Scene, service: PushService) -> None:
    for customer in scene.customers[:2]:
        scene.session.add(Wishes(brand_id=scene.brand.id, person=customer.person, unwanted=["email"]))
    scene.subscribe(scene.customers[0], service)
    assert [push.channel for push in scene.start()] == ["webpush", "email"]
    assert scene.session.scalars(sa.select(LeftOut.rule)).all() == ["unwanted"]


def test_a_wish_that_comes_after_the_order_is_kept_at_sending(scene: Scene, service: PushService) -> None:
    scene.subscribe(scene.customers[0], service)
    scene.start()
    for customer in scene.customers[:2]:
        scene.session.add(Wishes(brand_id=scene.brand.id, person=customer.person, unwanted=["email"]))
    scene.send()
    states = [(push.channel, push.state, push.reason) for push in scene.pushes()]
    assert states == [("webpush", "sent", ""), ("email", "suppressed", "unwanted"), ("email", "sent", "")]


def test_a_no_to_everything_closes_every_way(scene: Scene, session: Session, service: PushService) -> None:
    scene.subscribe(scene.customers[0], service)
    scene.customers[0].consent = False
    assert [push.rank for push in scene.start()] == [2, 3]
    assert session.scalars(sa.select(LeftOut.rule)).all() == ["no-consent"]


def test_a_mailbox_that_is_dead_leaves_the_browser(scene: Scene, session: Session, service: PushService) -> None:
    scene.subscribe(scene.customers[0], service)
    suppress(session, scene.brand.id, str(scene.customers[0].email), "bounced")
    assert [push.channel for push in scene.start()] == ["webpush", "email", "email"]


def a_mixed_crowd(scene: Scene, service: PushService, program: Program) -> None:
    """Eight people whom different ways reach, or none."""
    key, brand = scene.settings.secret, scene.brand
    brand.channel_order = ["webpush", "email", "webhook"]
    program.secret = endpoints.add_webhook(scene.session, brand.id, program.url, key)[1]
    people = scene.customers
    for customer in people[:4]:
        scene.subscribe(customer, service)
    scene.session.add(Wishes(brand_id=brand.id, person=people[0].person, unwanted=["webpush"]))
    scene.session.add(Wishes(brand_id=brand.id, person=people[1].person, unwanted=["webpush", "email"]))
    people[2].consent = None  # the browser asked for it; mail needs a yes
    people[3].consent = False
    suppress(scene.session, brand.id, str(people[4].email), "bounced")
    people[5].email = people[5].external_id = None
    people[6].email, people[6].external_id = None, ""


def test_the_dry_run_names_the_way_by_which_each_reward_then_leaves(
    session: Session, settings: Settings, service: PushService, program: Program
) -> None:
    scene = Scene(session, settings, people=8)
    a_mixed_crowd(scene, service, program)
    campaign = make_rewarded(session, scene.brand, top=8, codes=8)
    told = dry_run(session, campaign)
    named = {one.rank: one.channel for one in told.first if one.rule is None}
    campaigns.start_due(session, START)
    jobs.drain(session)
    assert {push.rank: push.channel for push in scene.pushes()} == named
    assert named == {1: "email", 2: "webhook", 3: "webpush", 5: "webhook", 8: "email"}
    assert told.by_channel == {"email": 2, "webhook": 2, "webpush": 1}
    assert told.by_rule == {"no-consent": 1, "no-email": 2}


def test_the_dry_run_counts_who_waits_and_sending_puts_off_the_same(
    session: Session, settings: Settings, service: PushService, program: Program
) -> None:
    scene = Scene(session, settings, people=8)
    scene.brand.channel_order = ["email", "webhook"]
    program.secret = endpoints.add_webhook(session, scene.brand.id, program.url, settings.secret)[1]
    scene.brand.quiet_from_hour, scene.brand.quiet_until_hour, scene.brand.cap_messages = 21, 8, 2
    for customer, zone in zip(scene.customers, ("Asia/Tokyo", "Asia/Tokyo", *["UTC"] * 6), strict=True):
        customer.timezone = zone
    scene.customers[1].email = None  # by the program, which never sleeps
    session.add(Wishes(brand_id=scene.brand.id, person=scene.customers[2].person, wants_fewer=True))
    for customer, times in ((scene.customers[2], 1), (scene.customers[3], 1), (scene.customers[4], 2)):
        for _ in range(times):
            written_to(scene, customer)
    with time_machine.travel(NOON, tick=False):  # 21 h in Tokyo
        campaign = make_rewarded(session, scene.brand, top=8, codes=8)
        told = dry_run(session, campaign)
        campaigns.start_now(session, campaign, NOON, "user:1")
        jobs.drain(session)
        scene.send()
    reasons = sa.select(Message.reason).where(Message.template == "reward", Message.state == "waiting")
    assert Counter(session.scalars(reasons)) == told.waiting == {"quiet-hours": 1, "frequency-cap": 2}
    assert told.cost_now_minor == 5 * 500
    today, tomorrow, in_a_week, in_a_month = (NOON.date() + timedelta(days) for days in (0, 1, 7, 30))
    # In Berlin, where the campaign runs: 8 h in Tokyo is 1 h there.
    assert told.cost_by_day == {today: 5 * 500, tomorrow: 500, in_a_week: 500, in_a_month: 500}


def test_the_dry_run_says_that_two_people_must_agree_before_anything_leaves(scene: Scene) -> None:
    approving.set_limit(scene.session, scene.brand.id, 100, "user:1")
    told = dry_run(scene.session, make_rewarded(scene.session, scene.brand, top=3, codes=6))
    assert (told.getting, told.waiting, told.cost_now_minor, told.cost_by_day) == (3, {"four-eyes": 3}, 0, {})


def written_to(scene: Scene, customer: Customer) -> None:
    """Another campaign's mail of an hour ago, as the contact budget counts it."""
    said = {"channel": "email", "template": "reward", "locale": "en", "address": "x@y.example", "state": "sent"}
    at, number = NOON - timedelta(hours=1), scene.session.scalar(sa.select(sa.func.count(Message.id)))
    scene.session.add(
        Message(
            brand_id=scene.brand.id, message_id=f"<{number}@before>", person=customer.person, admitted_at=at, **said
        )
    )
    scene.session.flush()
