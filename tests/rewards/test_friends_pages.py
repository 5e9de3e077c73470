"""What staff and sharers see of the friends' side: form, campaign page, dry run, friends page, share page and card."""

import csv
import io
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import clock
from amplify.insights import measuring
from amplify.rewards import queries, services, writing
from amplify.rewards.friends import terms
from amplify.rewards.friends.benefit import friends_dry_run
from amplify.sharing.models import Advocate
from amplify.sharing.services import link_for
from amplify.sharing.tokens import Visit
from amplify.tracking.previews import preview_of
from tests.client import Client
from tests.rewards.befriending import (
    asked,
    friend_in,
    friends_reward,
    link_of,
    make_befriending,
    visit,
)
from tests.rewards.making import START, make_advocates, make_rewarded
from tests.rewards.test_views import FORM
from tests.sharing.making import token_of
from tests.tracking.world import FACEBOOK
from tests.world import a_brand, a_user

FRIEND_FORM = {
    "friend_type": "generated_code", "friend_when": "purchase", "friend_name_en": "10 % off",
    "friend_name_es": "10 % menos", "friend_value": "3,00", "friend_budget": "90", "friend_cap_total": "20",
    "friend_cap_day": "5", "friend_cap_advocate": "2", "friend_new_only": "y", "friend_pattern": "HELLO-####-####",
    "friend_expires_on": "2030-12-31",
}  # fmt: skip


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session, postal_address="1 Main St", quiet_from_hour=0, quiet_until_hour=0)


@pytest.fixture
def marketer(session: Session, client: Client, brand: Brand) -> Client:
    client.sign_in(a_user(session, brand, "marketer"))
    return client


@pytest.fixture
def anna(session: Session, brand: Brand) -> Advocate:
    return make_advocates(session, brand, 1)[0]


def the_only(session: Session) -> Campaign:
    return session.scalars(sa.select(Campaign).execution_options(populate_existing=True)).one()


def test_both_sides_are_written_in_one_form_and_come_back_in_it(session: Session, marketer: Client) -> None:
    form = FORM | FRIEND_FORM | {"given": "each", "times": "", "cap_pushes": ""}
    assert marketer.post_form("/console/campaigns", form).status_code == 302
    campaign = the_only(session)
    mine, theirs = services.reward_of(session, campaign), friends_reward(session, campaign)
    assert mine is not None
    assert mine.rule == {"trigger": "conversion", "at_least": 1, "when": "reached", "times": 100}
    assert theirs.rule == {"when": "purchase", "new_only": True}
    assert (theirs.value_minor, theirs.budget_minor, theirs.cap_day, theirs.cap_person) == (300, 9000, 5, 2)
    again = marketer.get(f"/console/campaigns/{campaign.id}/edit").text
    for shown in ('value="10 % menos"', 'value="3.00"', 'value="HELLO-####-####"', 'value="2030-12-31"'):
        assert shown in again
    assert 'selected value="each"' in again
    page = marketer.get(f"/console/campaigns/{campaign.id}").text
    assert "For each purchase through their links, at most 100 times for each person." in page
    assert "When they have bought, for their next purchase. Only for new customers" in page


def test_a_refusal_stands_at_the_friends_field(session: Session, marketer: Client) -> None:
    answer = marketer.post_form("/console/campaigns", FORM | FRIEND_FORM | {"friend_budget": "1"})
    assert answer.status_code == 422
    assert 'id="friend_budget-error"' in answer.text
    answer = marketer.post_form("/console/campaigns", FORM | FRIEND_FORM | {"friend_name_en": ""})
    assert 'id="friend_name_en-error"' in answer.text
    assert session.scalar(sa.select(sa.func.count(Campaign.id))) == 0


def test_a_change_of_the_friends_side_stands_in_the_history(session: Session, marketer: Client) -> None:
    marketer.post_form("/console/campaigns", FORM | FRIEND_FORM)
    campaign = the_only(session)
    changed = {"version": str(campaign.version), "friend_budget": "120", "friend_new_only": ""}
    assert marketer.post_form(f"/console/campaigns/{campaign.id}/edit", FORM | FRIEND_FORM | changed).status_code == 302
    rows = list(csv.reader(io.StringIO(marketer.get(f"/console/campaigns/{campaign.id}/history.csv").text)))
    assert {(row[3], row[4], row[5]) for row in rows[1:]} == {
        ("Budget for friends (USD)", "$90.00", "$120.00"), ("Only for new customers", "yes", "no"),
    }  # fmt: skip


def test_a_copy_has_both_sides(session: Session, brand: Brand) -> None:
    campaign = make_befriending(session, brand, cap_day=7)
    copy = writing.clone(session, campaign, "user:1")
    theirs = terms.of(session, copy)
    assert theirs is not None
    assert (theirs.cap_day, theirs.spent_minor, theirs.rule["when"]) == (7, 0, "arrival")
    assert services.reward_of(session, copy) is not None


def test_taking_the_friends_side_away_leaves_the_advocates(session: Session, marketer: Client) -> None:
    marketer.post_form("/console/campaigns", FORM | FRIEND_FORM)
    campaign = the_only(session)
    without = FORM | {"version": str(campaign.version), "friend_type": "none"}
    assert marketer.post_form(f"/console/campaigns/{campaign.id}/edit", without).status_code == 302
    campaign = the_only(session)
    assert (terms.of(session, campaign), campaign.is_rewarded) == (None, True)


def test_codes_are_added_to_the_friends_pool(session: Session, brand: Brand, marketer: Client) -> None:
    campaign = make_befriending(session, brand, codes=1)
    sent = {"side": "friend", "codes": "HI-1\nHI-2\n"}
    assert marketer.post_form(f"/console/campaigns/{campaign.id}/codes", sent).status_code == 200
    assert services.codes_left(session, campaign, "friend") == 3


@pytest.mark.parametrize("lang", ["en", "es"])
def test_the_friends_page_and_its_file_say_what_became_of_each(
    session: Session, brand: Brand, anna: Advocate, marketer: Client, lang: str
) -> None:
    campaign = make_befriending(session, brand)
    link = link_of(session, campaign, anna)
    given = asked(session, brand, visit(session, link, 1))
    asked(session, brand, visit(session, link, 2))
    asked(session, brand, visit(session, link, 3, agent=FACEBOOK))
    assert given.push is not None
    services.redeem(session, brand.id, given.push.code or "", "user:1")
    page = marketer.get(f"/console/campaigns/{campaign.id}/friends", query_string={"lang": lang}).text
    for said in {"en": ("Friends who got it", "2 of 3", "The visit was not a person"),
                 "es": ("Amigos que la recibieron", "2 de 3", "La visita no era de una persona")}[lang]:  # fmt: skip
        assert said in page
    assert str(given.push.code) not in page
    assert "Bird 0" in page
    file = marketer.get(f"/console/campaigns/{campaign.id}/friends.csv").text
    rows = list(csv.reader(io.StringIO(file)))
    assert [(row[1], row[2], row[3]) for row in rows[1:]] == [
        ("Bird 0", "refused", "not-a-person"), ("Bird 0", "sent", ""), ("Bird 0", "redeemed", ""),
    ]  # fmt: skip
    assert str(given.push.code) not in file


def test_a_campaign_without_a_friends_side_has_no_friends_page(
    session: Session, brand: Brand, marketer: Client
) -> None:
    campaign = make_rewarded(session, brand)
    assert marketer.get(f"/console/campaigns/{campaign.id}/friends").status_code == 404
    assert "What their friends get" not in marketer.get(f"/console/campaigns/{campaign.id}").text


def test_results_of_advocates_do_not_count_friends(
    session: Session, brand: Brand, anna: Advocate, marketer: Client
) -> None:
    campaign = make_befriending(session, brand)
    asked(session, brand, visit(session, link_of(session, campaign, anna)))
    page = marketer.get(f"/console/campaigns/{campaign.id}/results").text
    assert "Every step that was reached" in page
    assert "0 of 0" in page


@pytest.mark.parametrize(
    ("friend", "enough", "cost", "a_day"),
    [
        ({}, None, None, None),
        ({"cap_day": 5}, None, None, 1500),
        ({"budget_minor": 1000}, 3, 900, 900),
        ({"budget_minor": 1000, "cap_total": 2, "cap_day": 1}, 2, 600, 300),
    ],
)
def test_the_dry_run_says_what_friends_could_cost(
    session: Session, brand: Brand, marketer: Client, friend: Any, enough: Any, cost: Any, a_day: Any
) -> None:
    campaign = make_befriending(session, brand, **friend)
    run = friends_dry_run(session, campaign)
    assert run is not None
    assert (run.enough_for, run.cost_minor, run.cost_a_day_minor) == (enough, cost, a_day)
    page = marketer.get(f"/console/campaigns/{campaign.id}/dry-run").text
    assert "What friends could cost" in page
    assert ("Nothing limits what friends get." in page) == (a_day is None)


def shared_link(session: Session, brand: Brand, campaign: Campaign, anna: Advocate) -> tuple[str, int]:
    """Anna's share page token in this campaign, and a link of hers."""
    one = Visit(anna, campaign, None)
    link = link_for(session, brand, anna, campaign, "x", locale="en", response=None)
    return token_of(one), link.id


def test_the_share_page_the_text_and_the_card_say_what_friends_get_after_the_disclosure(
    session: Session, client: Client, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand)
    token, link_id = shared_link(session, brand, campaign, anna)
    page = client.get(f"/share/{token}").text
    first = "I may get a reward for this. #ad With this link you get: 10 % off."
    assert first in page
    assert "Your friends get: 10 % off" in page
    assert preview_of(session, link_id).description.startswith(first)
    answer = client.post(f"/share/{token}/open/whatsapp", data={"words": "Go there"})
    assert "With%20this%20link%20you%20get" in answer.location
    spanish = client.get(f"/share/{token}", query_string={"lang": "es"}).text
    assert "Con este enlace recibes: 10 % menos." in spanish


def test_nothing_is_promised_that_cannot_be_given(
    session: Session, client: Client, brand: Brand, anna: Advocate
) -> None:
    campaign = make_befriending(session, brand, cap_total=1)
    token, link_id = shared_link(session, brand, campaign, anna)
    assert asked(session, brand, visit(session, link_of(session, campaign, anna, "email"))).is_new
    assert "10 % off" not in client.get(f"/share/{token}").text
    terms.attach(session, campaign, friend_in(cap_total=5), "user:1")
    assert "10 % off" in preview_of(session, link_id).description
    campaigns.end(session, campaign, "user:1")
    assert "10 % off" not in preview_of(session, link_id).description


def test_what_friends_of_the_rewarded_cost_counts_into_the_cost_per_conversion(
    session: Session, brand: Brand, anna: Advocate, marketer: Client
) -> None:
    campaign = make_rewarded(session, brand)
    terms.attach(session, campaign, friend_in(), "user:1")
    campaigns.start_due(session, START)
    snapshot = queries.snapshots(session, campaign)[-1]
    assert snapshot is not None
    snapshot.taken_at = clock.now()
    given = asked(session, brand, visit(session, link_of(session, campaign, anna)))
    assert given.push is not None
    found = measuring.measure(session, campaign)
    assert found is not None
    assert (found.delivered.pushed, found.delivered.cost_minor) == (1, 500)
    assert (found.delivered.friends, found.delivered.friends_cost_minor) == (1, 300)
    assert found.delivered.whole_cost_minor == 800
    assert "Cost of friends" in marketer.get(f"/console/campaigns/{campaign.id}/effect").text
    assert "Cost of friends" in marketer.get(f"/console/campaigns/{campaign.id}/effect.csv").text
