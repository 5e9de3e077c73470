"""Sets the demo brand up, lets its ninety days happen, and leaves three campaigns in different states."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import User
from amplify.accounts.services import create_user
from amplify.brands.models import Brand
from amplify.brands.services import ensure_business_line, ensure_location
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import AudienceIn, CampaignIn, TextsIn
from amplify.core import clock
from amplify.demo import people, texts
from amplify.demo.friends import befriend
from amplify.demo.history import ANSWERS, DAYS, History, told
from amplify.leaderboards.appeals import appeal
from amplify.rewards import services as rewards
from amplify.rewards import writing
from amplify.rewards.friends.terms import FriendIn
from amplify.rewards.models import Push
from amplify.rewards.schemas import RewardIn
from amplify.rewards.uploading import upload_codes
from amplify.sharing.models import Advocate, ShareLink
from amplify.surveys.models import Survey
from amplify.tracking.models import Click, ClickVerdict

SEED = 20261122
ZONE = "Europe/Madrid"
PASSWORD = "amplify-demo"  # noqa: S105  printed for everybody who runs the demo
STAFF = {"admin": "ada@brisa.example", "marketer": "marta@brisa.example", "brand": "bruno@brisa.example"}
SYSTEM = "system"
AUTUMN_DAY, AUTUMN_END, WINTER_DAY, CROWD_DAY = 48, 69, 84, 88
NINE = 9


@dataclass(frozen=True)
class Giving:
    """One campaign of the demo: its words, whom it rewards, and what it gives."""

    name: str
    audience: AudienceIn
    headline: dict[str, str]
    reward: RewardIn
    codes: tuple[str, ...] = ()
    friends: FriendIn | None = None

    @property
    def gifts(self) -> writing.Gifts:
        return writing.Gifts(self.reward, self.friends)


def _pool(word: str, count: int) -> tuple[str, ...]:
    random = Random(word)  # noqa: S311
    return tuple(f"{word}-{random.randrange(16**6):06X}" for _ in range(count))


AUTUMN = Giving(
    name="Autumn thank-you",
    audience=AudienceIn(kind="top_n", value=25),
    headline={"en": "Tell a friend where you slept well", "es": "Cuéntale a alguien dónde dormiste bien"},
    reward=RewardIn(
        type="code_pool",
        name={"en": "A spa afternoon for two", "es": "Una tarde de spa para dos"},
        value_minor=6_000,
        currency="EUR",
        budget_minor=150_000,
    ),
    codes=_pool("SPA", 40),
)
WINTER = Giving(
    name="Winter light",
    audience=AudienceIn(kind="top_percent", value=10),
    headline={"en": "Winter is for slow mornings", "es": "El invierno es para mañanas lentas"},
    reward=RewardIn(
        type="generated_code",
        name={"en": "A night on us", "es": "Una noche por nuestra cuenta"},
        value_minor=9_000,
        currency="EUR",
        budget_minor=400_000,
        settings={"pattern": "WINTER-####-####"},
    ),
    friends=FriendIn(
        type="generated_code",
        name={"en": "10% off your first night", "es": "10 % de descuento en tu primera noche"},
        value_minor=1_200,
        currency="EUR",
        budget_minor=120_000,
        cap_day=40,
        settings={"pattern": "HOLA-####-####"},
    ),
)
NEW_YEAR = Giving(
    name="New year, same friends",
    audience=AudienceIn(kind="top_n", value=50),
    headline={"en": "Start the year somewhere bright", "es": "Empieza el año en un sitio luminoso"},
    reward=RewardIn(
        type="code_pool",
        name={"en": "25 % off your next stay", "es": "25 % de descuento en tu próxima estancia"},
        value_minor=4_500,
        currency="EUR",
        budget_minor=225_000,
    ),
    codes=_pool("NEWYEAR", 45),  # five too few: the dry run says so
    friends=FriendIn(
        type="generated_code",
        name={"en": "A breakfast for two", "es": "Un desayuno para dos"},
        value_minor=2_400,
        currency="EUR",
        budget_minor=96_000,
        cap_day=50,
        cap_advocate=5,
        new_only=True,
        settings={"pattern": "FELIZ-####-####"},
    ),
)


def seed(session: Session, today: datetime, progress: Callable[[int, int], None], answers: int = ANSWERS) -> Brand:
    """Make everything; `today` (aware) is the end of the story, `progress(done, of)` is told of each day.

    Fewer `answers` make a smaller brand with the same story.
    """
    random = Random(SEED)  # noqa: S311  the same story every time
    begins = today.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    with told(session, begins):
        brand = _found(session)
    history = History(session, brand, random, begins)
    history.plan_answers(answers)
    for day, happen in (
        (AUTUMN_DAY, lambda: _launch(session, brand, AUTUMN)),
        (AUTUMN_END, lambda: _end(session, brand, AUTUMN, random)),
        (CROWD_DAY, history.bring_a_crowd),
        (WINTER_DAY, lambda: _launch(session, brand, WINTER)),
    ):
        history.at(begins + timedelta(days=day, hours=NINE), happen)
    for day in history.live():
        progress(day, DAYS)
    with told(session, history.ends):
        _announce(session, brand, clock.now() + timedelta(days=9))
        befriend(session, brand, WINTER.name, random, SYSTEM)
        _tell(session, brand)
    return brand


def _tell(session: Session, brand: Brand) -> None:
    """Somebody says that a visit was a friend's and no second one."""
    came_back = sa.select(Click.id, ShareLink.advocate_id).join(ShareLink, ShareLink.id == Click.link_id)
    judged = came_back.join(ClickVerdict, ClickVerdict.click_id == Click.id)
    mine = ShareLink.brand_id == brand.id, ClickVerdict.verdict == "duplicate"
    click_id, advocate_id = session.execute(judged.where(*mine).order_by(Click.id.desc()).limit(1)).one()
    appeal(session, session.get_one(Advocate, advocate_id), f"click:{click_id}", texts.APPEAL)


def _found(session: Session) -> Brand:
    """The brand with its places, its survey, its always-on campaign and its staff."""
    brand = Brand(
        slug=texts.SLUG,
        name=texts.BRAND,
        timezone=ZONE,
        currency="EUR",
        theme={"accent": "#0f766e", "wordmark": texts.BRAND},
        target_hosts=["www.brisa.example"],
        postal_address="Brisa Hotels, Calle de la Brisa 1, 29001 Málaga",
        suggestions=texts.SUGGESTIONS,
        is_demo=True,
    )
    session.add(brand)
    session.flush()
    for key, name in texts.LINES.items():
        ensure_business_line(session, brand.id, key, name)
    for key, name in texts.LOCATIONS.items():
        ensure_location(session, brand.id, key, name)
    session.add(Survey(brand_id=brand.id, key="stay", name="After the stay", touchpoint="checkout"))
    words = {"en": {"headline": "Where we slept well"}, "es": {"headline": "Donde dormimos bien"}}
    campaigns.ensure_always_on(session, brand, people.LANDING, words)
    for role, email in STAFF.items():
        name = email.partition("@")[0].title()
        create_user(session, brand, email=email, role=role, password=PASSWORD, name=name)
    return brand


def _write(session: Session, brand: Brand, giving: Giving, starts: datetime) -> Campaign:
    campaign = writing.create(session, brand, _campaign_in(giving, starts), giving.gifts, SYSTEM)
    reward = rewards.reward_of(session, campaign)
    if giving.codes and reward is not None:
        upload_codes(session, reward, giving.codes)
    return campaign


def _campaign_in(giving: Giving, starts: datetime) -> CampaignIn:
    local = datetime.combine(starts.astimezone(ZoneInfo(ZONE)).date(), time(9))
    return CampaignIn(
        name=giving.name,
        landing_url=f"{people.LANDING}?from={giving.name.split()[0].lower()}",
        audience=giving.audience,
        starts_local=local.strftime("%Y-%m-%dT%H:%M"),
        timezone=ZONE,
        texts={
            "en": TextsIn(headline=giving.headline["en"], disclosure=texts.DISCLOSURE["en"]),
            "es": TextsIn(headline=giving.headline["es"], disclosure=texts.DISCLOSURE["es"]),
        },
    )


def _announce(session: Session, brand: Brand, starts: datetime) -> None:
    """The next campaign is scheduled, and the marketer thinks again: more people, and a budget for all of them."""
    modest = NEW_YEAR.reward.model_copy(update={"budget_minor": 180_000})
    first = replace(NEW_YEAR, audience=AudienceIn(kind="top_n", value=40), reward=modest)
    campaign = _write(session, brand, first, starts)
    campaigns.schedule(session, campaign, clock.now())
    marketer = sa.select(User.id).where(User.brand_id == brand.id, User.email == STAFF["marketer"])
    actor = f"user:{session.scalars(marketer).one()}"
    writing.edit(session, campaign, _campaign_in(NEW_YEAR, starts), NEW_YEAR.gifts, actor, campaign.version)


def _launch(session: Session, brand: Brand, giving: Giving) -> None:
    campaign = _write(session, brand, giving, clock.now() + timedelta(days=1))
    campaigns.start_now(session, campaign, clock.now(), SYSTEM)


def _end(session: Session, brand: Brand, giving: Giving, random: Random) -> None:
    """Three weeks later: some have used what they got, and the campaign is over."""
    mine = sa.select(Campaign).where(Campaign.brand_id == brand.id, Campaign.name == giving.name)
    campaign = session.scalars(mine).one()
    sent = sa.select(Push).where(Push.campaign_id == campaign.id, Push.state == "sent", Push.code.is_not(None))
    for push in session.scalars(sent.order_by(Push.id)).all():
        if random.random() < 0.45:
            rewards.redeem(session, brand.id, str(push.code), SYSTEM)
    campaigns.end(session, campaign, SYSTEM)
