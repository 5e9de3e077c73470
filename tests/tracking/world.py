"""A small brand with advocates and links, made straight in the database, and clicks on them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy.orm import Session

from amplify.brands.models import Brand, BusinessLine, Location
from amplify.campaigns.models import Campaign
from amplify.customers.models import Customer
from amplify.sharing.models import Advocate, ShareLink
from amplify.tracking.models import Click
from amplify.tracking.redirect import Hit
from amplify.tracking.services import record_click

NOON = datetime(2026, 10, 14, 12, tzinfo=UTC)
SECRET = "test-secret"
TARGET = "https://shop.example/landing?from=friend#offer"
CHROME = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile "
    "Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 "
    "Mobile/15E148 Safari/604.1"
)
FACEBOOK = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"

_numbers = count(1)


@dataclass
class World:
    """One brand and what its tests need."""

    session: Session
    brand: Brand
    campaign: Campaign

    def advocate(self, name: str = "", **fields: object) -> Advocate:
        """A customer who shares, under a pseudonym."""
        customer = Customer(brand_id=self.brand.id, email=f"someone{next(_numbers)}@example.org", name="Real Name")
        self.session.add(customer)
        self.session.flush()
        pseudonym = name or f"Amber Heron {next(_numbers)}"
        advocate = Advocate(brand_id=self.brand.id, customer_id=customer.id, pseudonym=pseudonym, **fields)
        self.session.add(advocate)
        self.session.flush()
        return advocate

    def link(
        self, advocate: Advocate, channel: str = "x", campaign: Campaign | None = None, **fields: object
    ) -> ShareLink:
        """A tracked link of an advocate."""
        link = ShareLink(
            brand_id=self.brand.id,
            code=f"code{next(_numbers)}",
            advocate_id=advocate.id,
            campaign_id=(campaign or self.campaign).id,
            channel=channel,
            target_url=TARGET,
            **fields,
        )
        self.session.add(link)
        self.session.flush()
        return link

    def another_campaign(self, name: str = "Summer", state: str = "live") -> Campaign:
        """A second campaign of the brand."""
        campaign = make_campaign(self.brand, name, state)
        self.session.add(campaign)
        self.session.flush()
        return campaign

    def location(self, key: str) -> Location:
        """A place of the brand."""
        location = Location(brand_id=self.brand.id, key=key, name=key.title())
        self.session.add(location)
        self.session.flush()
        return location

    def business_line(self, key: str) -> BusinessLine:
        """A business line of the brand."""
        line = BusinessLine(brand_id=self.brand.id, key=key, name=key.title())
        self.session.add(line)
        self.session.flush()
        return line


def make_campaign(brand: Brand, name: str, state: str = "live") -> Campaign:
    """An unsaved campaign that leads to TARGET."""
    texts = {
        "en": {
            "headline": "A stay to remember",
            "share_text": "I slept like a stone.",
            "disclosure": "I may get a gift.",
        },
        "es": {"headline": "Una estancia inolvidable", "share_text": "Dormí de maravilla.", "disclosure": "Publicidad"},
    }
    return Campaign(brand_id=brand.id, name=name, state=state, landing_url=TARGET, texts=texts)


def make_world(session: Session, slug: str = "acme") -> World:
    """A brand with one live campaign."""
    brand = Brand(slug=slug, name=slug.title(), target_hosts=["shop.example"])
    session.add(brand)
    session.flush()
    campaign = make_campaign(brand, "Spring")
    session.add(campaign)
    session.flush()
    return World(session, brand, campaign)


def hit(agent: str = CHROME, *, method: str = "GET", purpose: str = "", is_own: bool = False) -> Hit:
    """The facts of a request."""
    return Hit(
        method=method, user_agent=agent, purpose=purpose, referrer_host="", language="en", gpc=False, is_own=is_own
    )


def click(
    world: World,
    link: ShareLink,
    *,
    visitor: int = 1,
    at: datetime = NOON,
    later: timedelta = timedelta(),
    **facts: Any,
) -> Click:
    """A stored click of the visitor-th network."""
    address = f"198.{18 + visitor // 250}.{visitor % 250}.7"
    return record_click(
        world.session,
        link.id,
        hit(**facts),
        address=address,
        secret=SECRET,
        at=at + later,
    )
