"""Rewards by text message: to whom, in which order, what they cost, and the next way when one comes back."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns import services as campaigns
from amplify.core import jobs
from amplify.core.settings import Settings
from amplify.customers.models import Customer
from amplify.delivery import bounces, receipts
from amplify.delivery.models import Wishes
from amplify.delivery.receipts import Receipt
from amplify.delivery.services import suppress
from amplify.rewards.dry_run import dry_run
from amplify.rewards.models import LeftOut, Push
from amplify.rewards.services import reward_of
from amplify.rewards.texting import Texts, texts
from tests.client import Client
from tests.delivery.receivers import receiving
from tests.delivery.twilio import ACCOUNT, Twilio
from tests.rewards.making import START, make_advocates, make_brand, make_rewarded
from tests.rewards.started import Started
from tests.world import a_user


@pytest.fixture
def twilio() -> Iterator[Twilio]:
    one = Twilio()
    with receiving(one):
        yield one


class Scene(Started):
    """Three advocates with a telephone each, who agreed to text messages, of a brand that texts first."""

    def __init__(self, session: Session, settings: Settings, twilio: Twilio) -> None:
        self.session = session
        self.settings = settings.model_copy(update={**ACCOUNT, "twilio_url": twilio.url, "mail": "file"})
        self.brand = make_brand(session)
        self.brand.channel_order = ["sms", "email"]
        self.people = [session.get_one(Customer, a.customer_id) for a in make_advocates(session, self.brand, 3)]
        for number, person in enumerate(self.people):
            person.phone, person.sms_consent = f"+3460012340{number}", True
        session.flush()

    def start(self) -> list[Push]:
        super().start()
        self.send()
        return self.pushes()

    def ways(self) -> list[tuple[str, str]]:
        return [(push.channel, push.state) for push in self.pushes()]


@pytest.fixture
def scene(session: Session, settings: Settings, twilio: Twilio) -> Scene:
    return Scene(session, settings, twilio)


def test_each_gets_their_own_code_by_text(scene: Scene, twilio: Twilio) -> None:
    pushes = scene.start()
    assert scene.ways() == [("sms", "sent")] * 3
    assert {(said["To"], str(push.code) in said["Body"]) for said, push in zip(twilio.took, pushes, strict=True)} == {
        (person.phone, True) for person in scene.people
    }


@pytest.mark.parametrize(
    "change",
    [
        {"phone": None},
        {"sms_consent": None},
        {"sms_consent": False},
    ],
)
def test_without_a_number_or_a_yes_to_text_messages_the_next_way_is_taken(
    scene: Scene, change: dict[str, object]
) -> None:
    for name, value in change.items():
        setattr(scene.people[0], name, value)
    scene.start()
    assert scene.ways() == [("email", "sent"), ("sms", "sent"), ("sms", "sent")]


def test_a_stop_a_wish_and_a_no_to_everything_close_the_way(scene: Scene, session: Session) -> None:
    suppress(session, scene.brand.id, str(scene.people[0].phone), "unsubscribed")
    session.add(Wishes(brand_id=scene.brand.id, person=scene.people[1].person, unwanted=["sms"]))
    scene.people[2].consent = False
    scene.start()
    assert scene.ways() == [("email", "sent"), ("email", "sent")]
    assert session.scalars(sa.select(LeftOut.rule)).all() == ["no-consent"]


def test_who_has_no_mailbox_is_reached_by_text_alone(scene: Scene) -> None:
    scene.brand.channel_order = ["email", "sms"]
    scene.people[0].email = None
    scene.people[1].consent = None  # mail needs a yes of its own
    scene.start()
    assert scene.ways() == [("sms", "sent"), ("sms", "sent"), ("email", "sent")]


def test_a_consent_that_is_withdrawn_before_it_leaves_is_kept(scene: Scene, session: Session) -> None:
    make_rewarded(session, scene.brand, top=3, codes=6)
    campaigns.start_due(session, START)
    jobs.drain(session)
    scene.people[0].sms_consent = False
    scene.send()
    first = scene.pushes()[0]
    assert (first.state, first.reason) == ("suppressed", "no-consent")


def test_a_number_that_is_dead_is_followed_by_the_next_way_with_the_same_code(scene: Scene, twilio: Twilio) -> None:
    twilio.blocked.add(str(scene.people[0].phone))
    pushes = scene.start()
    assert scene.ways() == [("email", "sent"), ("sms", "sent"), ("sms", "sent")]
    outbox = scene.settings.data_dir / "outbox"
    assert str(pushes[0].code) in (outbox / f"{pushes[0].message_id.strip('<>')}.eml").read_text()


@pytest.mark.parametrize(("code", "then"), [("30006", ("email", "sent")), ("30007", ("sms", "failed"))])
def test_what_comes_back_later_takes_the_next_way_if_the_number_is_dead_and_else_failed(
    scene: Scene, session: Session, code: str, then: tuple[str, str]
) -> None:
    before = [(push.code, push.message_id) for push in scene.start()]
    told = Receipt(before[0][1], "undelivered", code, "SM1", is_address_dead=code == "30006")
    for _ in range(2):
        receipts.take(session, "sms", told)
    scene.send()
    assert scene.ways() == [then, ("sms", "sent"), ("sms", "sent")]
    assert [(push.code, push.message_id) for push in scene.pushes()] == before


def test_a_provider_that_is_quicker_than_our_own_note_is_heard_all_the_same(scene: Scene, session: Session) -> None:
    make_rewarded(session, scene.brand, top=3, codes=6)
    campaigns.start_due(session, START)
    jobs.drain(session)
    first = scene.pushes()[0]
    receipts.take(session, "sms", Receipt(first.message_id, "undelivered", "30007"))
    scene.send()
    assert scene.ways()[0] == ("sms", "failed")
    assert scene.pushes()[0].reason == "undelivered: 30007"


def test_a_mail_that_bounces_later_is_followed_by_a_text(scene: Scene, session: Session, twilio: Twilio) -> None:
    scene.brand.channel_order = ["email", "sms"]
    pushes = scene.start()
    assert scene.ways() == [("email", "sent")] * 3
    assert bounces.take(session, scene.brand.id, bounces.Report("bounce", pushes[0].message_id))
    scene.send()
    assert scene.ways() == [("sms", "sent"), ("email", "sent"), ("email", "sent")]
    assert str(pushes[0].code) in twilio.took[0]["Body"]


def test_what_was_redeemed_stays_so_whatever_comes_back(scene: Scene, session: Session) -> None:
    push = scene.start()[0]
    push.move("redeem")
    session.flush()
    receipts.take(session, "sms", Receipt(push.message_id, "undelivered", "30006", is_address_dead=True))
    scene.send()
    assert scene.ways()[0] == ("sms", "redeemed")


def test_the_dry_run_says_how_many_parts_leave_and_what_they_cost(scene: Scene, session: Session) -> None:
    campaign = make_rewarded(session, scene.brand, top=3, codes=6)
    reward, run = reward_of(session, campaign), dry_run(session, campaign)
    assert reward is not None
    assert run.by_sms == {"en": 2, "es": 1}
    told = texts(scene.brand, campaign, reward, run)
    assert told is not None
    sizes = {locale: (people, size.encoding, size.segments) for locale, (people, size) in told.sizes.items()}
    assert sizes == {"en": (2, "GSM-7", 1), "es": (1, "GSM-7", 1)}
    assert (told.segments, told.cost_minor) == (3, None)
    assert Texts(told.sizes, 830).cost_minor == 3  # 3 parts of 0.83 cents are 2.49, rounded up


def test_one_accent_in_the_words_of_a_language_costs_its_people_more(scene: Scene, session: Session) -> None:
    campaign = make_rewarded(session, scene.brand, top=3, codes=6)
    campaign.texts = campaign.texts | {"es": campaign.texts["es"] | {"reward_subject": "¡Recibirás un regalo mío!"}}
    reward, run = reward_of(session, campaign), dry_run(session, campaign)
    assert reward is not None
    told = texts(scene.brand, campaign, reward, run)
    assert told is not None
    assert [(size.encoding, size.segments) for _people, size in told.sizes.values()] == [("GSM-7", 1), ("UCS-2", 2)]


def test_the_page_of_the_dry_run_shows_it(scene: Scene, session: Session, client: Client) -> None:
    campaign = make_rewarded(session, scene.brand, top=3, codes=6)
    scene.brand.sms_thousand_minor = 830
    client.sign_in(a_user(session, scene.brand))
    page = client.get(f"/console/campaigns/{campaign.id}/dry-run").text
    assert "characters in GSM-7" in page
    assert "parts of text messages together, for $0.03" in " ".join(page.split())
    scene.brand.channel_order = ["email"]
    session.flush()
    assert "text message" not in client.get(f"/console/campaigns/{campaign.id}/dry-run").text
