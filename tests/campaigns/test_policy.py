"""What may not be published is refused, and the refusal names its rule."""

import pytest
from sqlalchemy.orm import Session

from amplify.campaigns import policy
from amplify.core.errors import Forbidden, Invalid
from tests.campaigns.making import TEXTS, make_brand

REVIEW_SITES = [
    "https://www.yelp.com/biz/acme", "https://es.trustpilot.com/review/acme", "https://www.tripadvisor.co.uk/x",
    "https://g.page/r/abc/review", "https://search.google.com/local/writereview?placeid=1",
    "https://www.google.com/maps/place/acme", "https://maps.google.de/?cid=1", "https://maps.app.goo.gl/abc",
    "https://www.amazon.es/review/create-review", "https://www.facebook.com/acme/reviews",
    "https://apps.apple.com/app/id1?action=write-review", "https://YELP.COM./biz/acme", "https://www.g2.com/products/a",
]  # fmt: skip
OTHERS = [
    "https://shop.example/reviews", "https://www.google.com/search?q=acme", "https://www.amazon.com/dp/B01",
    "https://www.facebook.com/acme", "https://notyelp.example/", "https://myyelp.com/",
]  # fmt: skip


@pytest.mark.parametrize("url", REVIEW_SITES)
def test_review_sites_are_known(url: str) -> None:
    assert policy.is_review_site(url)


@pytest.mark.parametrize("url", OTHERS)
def test_other_sites_are_not_taken_for_review_sites(url: str) -> None:
    assert not policy.is_review_site(url)


def test_a_campaign_may_not_lead_to_a_review_site_even_on_an_allowed_host(session: Session) -> None:
    brand = make_brand(session)
    brand.target_hosts = ["www.yelp.com"]
    with pytest.raises(Forbidden) as refused:
        policy.check_landing(brand, "https://www.yelp.com/biz/acme")
    assert (refused.value.field, refused.value.rule) == ("landing_url", "16-cfr-465.4")
    assert "465.4" in str(refused.value.message)


def test_a_campaign_may_not_lead_off_the_brands_hosts(session: Session) -> None:
    with pytest.raises(Invalid) as refused:
        policy.check_landing(make_brand(session), "https://elsewhere.example/")
    assert refused.value.rule == "target-host"


def test_a_text_may_not_lead_to_a_review_site_either() -> None:
    with pytest.raises(Forbidden) as refused:
        policy.check_texts({"es": {"share_text": "Escribe aquí: yelp.es/biz/acme"}})
    assert refused.value.field == "texts.es.share_text"


@pytest.mark.parametrize("trigger", ["share", "post", "like", "Follow", "review", "nps", "text", "share_confirmed"])
def test_acts_and_opinions_are_no_triggers(trigger: str) -> None:
    with pytest.raises(Forbidden) as refused:
        policy.check_trigger(trigger)
    assert refused.value.rule == "pay-to-engage"


@pytest.mark.parametrize("trigger", policy.TRIGGERS)
def test_outcomes_are_triggers(trigger: str) -> None:
    assert policy.check_trigger(trigger) == trigger


def test_an_unknown_trigger_is_refused() -> None:
    with pytest.raises(Invalid):
        policy.check_trigger("moonphase")


def test_a_rewarded_campaign_needs_its_disclosure_in_every_language_it_speaks(session: Session) -> None:
    brand = make_brand(session)
    texts = {"en": TEXTS["en"], "es": {**TEXTS["es"], "disclosure": " "}}
    with pytest.raises(Forbidden) as refused:
        policy.check(brand, landing_url="https://shop.example/", texts=texts, is_rewarded=True)
    assert (refused.value.field, refused.value.rule) == ("texts.es.disclosure", "16-cfr-255.5")
    policy.check(brand, landing_url="https://shop.example/", texts=texts, is_rewarded=False)
    policy.check(brand, landing_url="https://shop.example/", texts={"en": TEXTS["en"]}, is_rewarded=True)
