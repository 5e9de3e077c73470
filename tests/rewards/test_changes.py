"""The history of a campaign: every edit with what was and what is since, and nothing that was promised moves."""

import csv
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import User
from amplify.brands.models import Brand
from amplify.campaigns import always_on, history, queries
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign, Edit
from amplify.campaigns.schemas import AlwaysOnIn
from amplify.core.errors import Conflict
from amplify.rewards import forms, writing
from amplify.rewards.models import Reward
from tests.campaigns.making import TEXTS, campaign_in
from tests.client import Client
from tests.rewards.making import (
    REWARD_TEXTS,
    START,
    make_advocates,
    make_brand,
    make_rewarded,
    pushes_of,
    reward_in,
    reward_of,
)
from tests.world import a_user

SAME = {"name": "Top 3", "texts": REWARD_TEXTS, "audience": {"kind": "top_n", "value": 3}}


@pytest.fixture
def campaign(session: Session, brand: Brand) -> Campaign:
    make_advocates(session, brand, 4)
    return make_rewarded(session, brand, top=3)


def edit(session: Session, campaign: Campaign, gives: dict[str, Any] | None = None, **changes: Any) -> None:
    data = campaign_in(**SAME | changes)
    writing.edit(session, campaign, data, writing.Gifts(reward_in(**gives or {})), "user:1", campaign.version)


def changes_of(session: Session, campaign: Campaign) -> list[dict[str, Any]]:
    return [one.changes for one in history.edits(session, campaign)]


def test_an_edit_is_kept_with_both_versions_of_each_field_that_differs(session: Session, campaign: Campaign) -> None:
    words = REWARD_TEXTS | {"en": REWARD_TEXTS["en"] | {"headline": "New"}}
    edit(session, campaign, {"budget_minor": 5000, "expires_on": "2030-12-31"}, name="Best 3", texts=words)
    edit(session, campaign, {"budget_minor": 9000}, name="Best 3", texts=words)
    assert changes_of(session, campaign) == [
        {"reward.budget_minor": [5000, 9000], "reward.expires_on": ["2030-12-31", None]},
        {
            "name": ["Top 3", "Best 3"], "texts.en.headline": ["Tell a friend", "New"],
            "reward.budget_minor": [None, 5000], "reward.expires_on": [None, "2030-12-31"],
        },
    ]  # fmt: skip
    last = history.edits(session, campaign)[0]
    assert (last.brand_id, last.actor, last.revision) == (campaign.brand_id, "user:1", campaign.version)


def test_the_rule_and_the_end_of_a_reward_are_kept_too(session: Session, campaign: Campaign) -> None:
    edit(session, campaign, {"rule": {"trigger": "human_click", "at_least": 5}})
    writing.edit(session, campaign, campaign_in(**SAME), writing.Gifts(), "user:1", campaign.version)
    gone, ruled = changes_of(session, campaign)
    assert ruled == {"reward.rule.trigger": ["rank", "human_click"], "reward.rule.at_least": [0, 5]}
    assert gone["reward.type"] == ["generated_code", None]


def test_where_nothing_changed_or_a_change_was_refused_nothing_is_kept(session: Session, campaign: Campaign) -> None:
    edit(session, campaign)
    campaigns.start_due(session, START)
    with pytest.raises(Conflict), session.begin_nested():
        edit(session, campaign, {"value_minor": 1}, name="Refused")
    assert changes_of(session, campaign) == []


def test_every_column_that_staff_write_is_told(session: Session) -> None:
    derived = {"brand_id", "is_rewarded", "expires_at", "currency", "side"}
    times = {"starts_local", "ends_local"}
    told = set(history.FIELDS) | set(writing.FIELDS_OF_REWARD)
    of_campaign = {column.key for column in Campaign.__mapper__.column_attrs} - writing.OWN | times
    of_reward = {column.key for column in Reward.__mapper__.column_attrs} - writing.OWN_OF_REWARD
    assert told == (of_campaign | of_reward) - derived


def test_an_edit_while_it_is_live_changes_nothing_that_was_promised(session: Session, campaign: Campaign) -> None:
    campaigns.start_due(session, START)
    promised = [terms_of(push) for push in pushes_of(session, campaign)]
    started = queries.occurrence(session, campaign.id, 1)
    assert started is not None
    said = (started.version, started.landing_url, started.text("en", "reward_text"))
    words = {"en": REWARD_TEXTS["en"] | {"reward_text": "Other words."}, "es": REWARD_TEXTS["es"]}
    edit(session, campaign, {"budget_minor": 5000, "cap_total": 9}, landing_url="https://shop.example/2", texts=words)
    session.expire_all()
    assert len(promised) == 3
    assert [terms_of(push) for push in pushes_of(session, campaign)] == promised
    assert (started.version, started.landing_url, started.text("en", "reward_text")) == said
    assert history.edits(session, campaign)[0].revision > started.version
    for gives in ({"value_minor": 1}, {"expires_on": "2030-07-01"}, {"rule": {"trigger": "conversion"}}):
        with pytest.raises(Conflict, match="promised"), session.begin_nested():
            edit(session, campaign, gives | {"budget_minor": 5000, "cap_total": 9}, texts=words)
    assert (reward_of(session, campaign).value_minor, reward_of(session, campaign).expires_at) == (500, None)


def terms_of(push: Any) -> tuple[Any, ...]:
    return push.id, push.code, push.amount_minor, push.currency, push.message_id, push.provider_key, push.occurrence


def test_changes_of_the_always_on_campaign_are_kept(session: Session, brand: Brand) -> None:
    only = campaigns.ensure_always_on(session, brand, "https://shop.example/", TEXTS)
    data = AlwaysOnIn.model_validate({"landing_url": "https://shop.example/2", "texts": TEXTS})
    always_on.write(session, brand, data, "user:1", only.version)
    assert changes_of(session, only)[0]["landing_url"] == ["https://shop.example/", "https://shop.example/2"]


def test_every_field_that_can_change_has_a_label_in_the_form(session: Session, campaign: Campaign) -> None:
    given = {name: getattr(reward_of(session, campaign), name) for name in writing.FIELDS_OF_REWARD}
    told = history.terms(campaign) | history.flat(given)
    fields = {name for name in dir(forms.CampaignForm) if not name.startswith("_")}
    assert [name for name in told if forms.named(name)[0] not in fields] == []


@pytest.mark.parametrize(
    ("lang", "heading", "label", "language", "kind", "amount"),
    [
        ("en", "History", "Budget (USD)", "Headline (English)", "Visits by people through their links", "$50.00"),
        (
            "es",
            "Historial",
            "Presupuesto (USD)",
            "Titular (English)",
            "Visitas de personas a través de sus enlaces",
            "50,00\xa0US$",
        ),
    ],
)
def test_the_page_and_the_file_say_who_changed_what_in_words(
    session: Session, client: Client, brand: Brand, campaign: Campaign, lang: str, heading: str, label: str,
    language: str, kind: str, amount: str,
) -> None:  # fmt: skip
    user = a_user(session, brand, "brand")
    words = REWARD_TEXTS | {"en": REWARD_TEXTS["en"] | {"headline": "=New <b>"}}
    gives = reward_in(budget_minor=5000, rule={"trigger": "human_click", "at_least": 5})
    data = campaign_in(**SAME | {"texts": words, "starts_local": "2030-06-02T09:00"})
    writing.edit(session, campaign, data, writing.Gifts(gives), f"user:{user.id}", campaign.version)
    client.sign_in(user)
    page = client.get(f"/console/campaigns/{campaign.id}", query_string={"lang": lang}).text
    for said in (heading, label, language, kind, user.email, amount, "=New &lt;b&gt;", "2030"):
        assert said in page
    file = client.get(f"/console/campaigns/{campaign.id}/history.csv", query_string={"lang": lang})
    rows = {row[3]: row for row in csv.reader(file.text.lstrip("\ufeff").splitlines())}
    assert rows[label][1:] == [str(campaign.version), user.name or user.email, label, "", amount]
    assert rows[language][4:] == ["Tell a friend", "'=New <b>"]


def test_a_page_without_changes_shows_no_history(session: Session, client: Client, campaign: Campaign) -> None:
    client.sign_in(a_user(session, session.get_one(Brand, campaign.brand_id), "marketer"))
    assert "history.csv" not in client.get(f"/console/campaigns/{campaign.id}").text


def test_another_brands_history_is_not_there(session: Session, client: Client, campaign: Campaign) -> None:
    client.sign_in(a_user(session, make_brand(session, "other"), "admin"))
    assert client.get(f"/console/campaigns/{campaign.id}/history.csv").status_code == 404


def test_a_person_of_the_staff_stands_in_it_by_number_alone(session: Session, client: Client, brand: Brand) -> None:
    user: User = a_user(session, brand, "marketer")
    client.sign_in(user)
    only = campaigns.ensure_always_on(session, brand, "https://shop.example/", TEXTS)
    posted = {"version": str(only.version), "landing_url": "https://shop.example/2"}
    assert client.post_form("/console/campaigns/always-on", posted).status_code == 303
    row = session.scalars(sa.select(Edit)).one()
    assert row.actor == f"user:{user.id}"
    assert user.email not in repr(row.changes)
