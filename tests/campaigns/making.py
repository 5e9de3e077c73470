"""Rows for tests about campaigns."""

from typing import Any

from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services
from amplify.campaigns.models import Campaign
from amplify.campaigns.schemas import CampaignIn, read

TEXTS = {
    "en": {"headline": "Tell a friend", "share_text": "I liked it.", "disclosure": "I may get a reward for this. #ad"},
    "es": {"headline": "Cuéntaselo", "share_text": "Me gustó.", "disclosure": "Puedo recibir un premio. #publi"},
}


def make_brand(session: Session, slug: str = "acme") -> Brand:
    awake = {"quiet_from_hour": 0, "quiet_until_hour": 0}  # tests run at any hour
    brand = Brand(slug=slug, name=slug.title(), target_hosts=["shop.example"], timezone="Europe/Berlin", **awake)
    session.add(brand)
    session.flush()
    return brand


def campaign_in(**changes: Any) -> CampaignIn:
    data = {
        "name": "Spring",
        "landing_url": "https://shop.example/spring",
        "audience": {"kind": "top_n", "value": 10},
        "texts": TEXTS,
        "starts_local": "2030-06-01T09:00",
        "timezone": "Europe/Berlin",
    }
    made: CampaignIn = read(CampaignIn, {**data, **changes})
    return made


def make_campaign(session: Session, brand: Brand, **changes: Any) -> Campaign:
    return services.create(session, brand, campaign_in(**changes), "user:1")
