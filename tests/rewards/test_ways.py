"""By which way a reward reaches somebody, and the next way when one is closed: the same code, the same Message-ID."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns import services as campaigns
from amplify.core import jobs
from amplify.core.db import db
from amplify.core.settings import Settings
from amplify.customers.models import Customer
from amplify.delivery import endpoints, vapid
from amplify.delivery.models import Message, Wishes
from amplify.delivery.sending import send_batch
from amplify.delivery.services import suppress
from amplify.rewards.models import LeftOut, Push
from tests.delivery.receivers import Program, PushService, receiving
from tests.rewards.making import START, make_advocates, make_brand, make_rewarded


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


class Scene:
    """Three advocates, and a campaign that rewards them when `start` is called."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.session, self.settings = session, settings
        self.brand = make_brand(session)
        self.advocates = make_advocates(session, self.brand, 3)
        self.customers = [session.get_one(Customer, one.customer_id) for one in self.advocates]

    def subscribe(self, customer: Customer, service: PushService) -> None:
        told = service.subscription
        said = {"unique": f"{customer.id}", "person": customer.person, "shown": "", "key": self.settings.secret}
        endpoints.add(self.session, self.brand.id, "webpush", told, **said)

    def start(self) -> list[Push]:
        make_rewarded(self.session, self.brand, top=3, codes=6)
        campaigns.start_due(self.session, START)
        jobs.drain(self.session)
        return self.pushes()

    def pushes(self) -> list[Push]:
        self.session.expire_all()
        return list(self.session.scalars(sa.select(Push).order_by(Push.rank)))

    def send(self) -> None:
        """What the worker's rounds and jobs do, until nothing is left to be sent."""
        for _ in range(3):
            self.session.commit()
            ids = list(self.session.scalars(sa.select(Message.id).where(Message.state.in_(("waiting", "queued")))))
            send_batch(db.sessionmaker, self.settings, ids)
            self.session.expire_all()


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
