"""The console's campaign pages, as a marketer uses them."""

import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign, ExclusionList
from amplify.delivery.models import Message
from amplify.delivery.render import render
from amplify.rewards import services
from amplify.rewards.models import RewardCode
from tests.client import Client
from tests.rewards.making import BEFORE, START, make_advocates, make_rewarded, pushes_of
from tests.world import a_brand, a_key, a_user

FORM = {
    "name": "Spring", "landing_url": "https://shop.example/spring", "audience_kind": "top_n", "audience_value": "3",
    "location_id": "", "business_line_id": "", "starts_local": "2030-06-01T09:00", "ends_local": "",
    "timezone": "Europe/Berlin", "reward_type": "generated_code", "reward_name_en": "20 % off",
    "reward_name_es": "20 % menos", "value": "12,50", "budget": "100", "cap_pushes": "",
    "pattern": "SPRING-####-####", "trigger": "rank", "at_least": "", "expires_on": "2030-12-31",
    "headline_en": "Tell a friend", "disclosure_en": "I may get a reward. #ad", "share_text_en": "I liked it.",
    "disclosure_es": "Puedo recibir un premio. #publi",
}  # fmt: skip


def at(instant: datetime) -> Any:
    """A fixture that moves the clock; named before `marketer`, so that the sign-in is of that time too."""

    @pytest.fixture
    def moved() -> Iterator[None]:
        with time_machine.travel(instant, tick=False):
            yield

    return moved


in_2026 = at(datetime(2026, 1, 1, tzinfo=UTC))
in_may_2030 = at(BEFORE)
in_2031 = at(datetime(2031, 1, 1, tzinfo=UTC))


@pytest.fixture
def brand(session: Session) -> Brand:
    return a_brand(session, postal_address="1 Main St")


@pytest.fixture
def marketer(session: Session, client: Client, brand: Brand) -> Client:
    client.sign_in(a_user(session, brand, "marketer"))
    return client


@pytest.fixture
def only(session: Session) -> Callable[[], Campaign]:
    return lambda: session.scalars(sa.select(Campaign).execution_options(populate_existing=True)).one()


def test_the_list_is_empty_and_says_what_to_do(marketer: Client) -> None:
    page = marketer.get("/console/campaigns")
    assert page.status_code == 200
    assert "/console/campaigns/new" in page.text


def test_a_new_form_begins_with_sensible_and_lawful_words(marketer: Client) -> None:
    page = marketer.get("/console/campaigns/new").text
    assert "https://shop.example/" in page
    assert "#ad" in page
    assert "THANKS-####-####" in page


def test_a_campaign_is_written_with_its_reward(session: Session, marketer: Client, only: Any) -> None:
    answer = marketer.post_form("/console/campaigns", FORM)
    campaign = only()
    assert (answer.status_code, answer.location) == (302, f"/console/campaigns/{campaign.id}")
    reward = services.reward_of(session, campaign)
    assert reward is not None
    assert (reward.value_minor, reward.budget_minor, reward.settings) == (1250, 10000, {"pattern": "SPRING-####-####"})
    assert campaign.starts_at == START
    shown = marketer.get(answer.location).text
    assert "Spring" in shown
    assert "$100.00" in shown


@pytest.mark.parametrize(
    ("change", "said", "status"),
    [
        ({"name": ""}, "Please fill this in.", 422),
        ({"landing_url": "https://www.yelp.com/biz/acme"}, "465.4", 403),
        ({"landing_url": "https://elsewhere.example/"}, "allowed hosts", 422),
        ({"value": "lots"}, "12.50", 422),
        ({"value": "1.005"}, "12.50", 422),
        ({"budget": "1"}, "less than one reward", 422),
        ({"pattern": "SHORT-##"}, "8 to 20", 422),
        ({"starts_local": "soon"}, "2026-11-22T09:00", 422),
        ({"ends_local": "2030-05-01T09:00"}, "after the start", 422),
        ({"timezone": "Mars/Olympus"}, "Not a valid choice", 422),
        ({"audience_value": "0"}, "not possible", 422),
        ({"location_id": "999"}, "no such place", 422),
        ({"disclosure_es": "", "share_text_es": "Me gustó"}, "255.5", 403),
        ({"reward_name_en": ""}, "brand&#39;s language", 422),
        ({"trigger": "share"}, "Not a valid choice", 422),
    ],
)
def test_a_form_that_does_not_fit_says_why_and_stores_nothing(
    session: Session, marketer: Client, change: dict[str, str], said: str, status: int
) -> None:
    page = marketer.post_form("/console/campaigns", FORM | change)
    assert page.status_code == status
    assert said in page.text
    assert session.scalar(sa.select(sa.func.count(Campaign.id))) == 0


def test_two_people_editing_see_both_versions(session: Session, marketer: Client, only: Any) -> None:
    marketer.post_form("/console/campaigns", FORM)
    campaign = only()
    edit = f"/console/campaigns/{campaign.id}/edit"
    seen = str(campaign.version)
    assert marketer.post_form(edit, FORM | {"version": seen, "name": "Theirs"}).status_code == 302
    page = marketer.post_form(edit, FORM | {"version": seen, "name": "Mine", "value": "9"})
    assert page.status_code == 409
    assert "Theirs" in page.text
    assert "Mine" in page.text
    assert only().name == "Theirs"
    again = marketer.post_form(edit, FORM | {"version": str(only().version), "name": "Mine"})
    assert (again.status_code, only().name) == (302, "Mine")


def test_a_changed_reward_is_a_new_version_too(marketer: Client, only: Any) -> None:
    marketer.post_form("/console/campaigns", FORM)
    seen = only().version
    edit = f"/console/campaigns/{only().id}/edit"
    marketer.post_form(edit, FORM | {"version": str(seen), "budget": "200"})
    assert only().version > seen
    assert marketer.post_form(edit, FORM | {"version": str(seen), "budget": "300"}).status_code == 409


def test_what_is_stored_comes_back_into_the_form_unchanged(marketer: Client, only: Any) -> None:
    marketer.post_form("/console/campaigns", FORM)
    page = marketer.get(f"/console/campaigns/{only().id}/edit").text
    for value in ("SPRING-####-####", "12.50", "100.00", "2030-12-31", "2030-06-01T09:00", "20 % menos"):
        assert f'value="{value}"' in page


def test_the_audience_is_counted_while_it_is_written(session: Session, marketer: Client, brand: Brand) -> None:
    make_advocates(session, brand, 8)
    counted = marketer.get("/console/campaigns/audience?audience_kind=top_percent&audience_value=50")
    assert "4 people would be chosen now." in counted.text
    assert "no audience yet" in marketer.get("/console/campaigns/audience?audience_kind=x&audience_value=y").text
    without = marketer.post_form("/console/campaigns", FORM | {"count": "1"})
    assert "3 people would be chosen now." in without.text
    assert session.scalar(sa.select(sa.func.count(Campaign.id))) == 0


def test_a_narrowed_audience_is_kept_told_and_shown_in_the_form(
    session: Session, marketer: Client, brand: Brand, only: Any
) -> None:
    marketer.post_form("/console/exclusions", {"name": "Our staff"})
    listed = session.scalars(sa.select(ExclusionList.id)).one()
    narrowed = FORM | {
        "audience_kind": "tier", "audience_value": "2", "segment_locale": "es", "segment_channel": "whatsapp",
        "joined_since": "2030-01-02", "active_since": "2030-01-03", "not_rewarded_days": "90",
        "holdout_percent": "10", "exclude": str(listed),
    }  # fmt: skip
    assert marketer.post_form("/console/campaigns", narrowed).status_code == 302
    assert only().audience == {
        "kind": "tier", "value": 2, "location_id": None, "business_line_id": None, "locale": "es",
        "channel": "whatsapp", "joined_since": "2030-01-02", "active_since": "2030-01-03", "not_rewarded_days": 90,
        "exclude": [listed], "holdout_percent": 10,
    }  # fmt: skip
    shown = marketer.get(f"/console/campaigns/{only().id}").text
    for said in ("the tier silver", "Español", "WhatsApp", "Jan 2, 2030", "90 days", "Our staff", "10 percent"):
        assert said in shown
    form = marketer.get(f"/console/campaigns/{only().id}/edit").text
    assert 'value="2030-01-02"' in form
    assert marketer.post_form("/console/campaigns", FORM | {"holdout_percent": "51"}).status_code == 422


def test_the_count_names_the_first_of_the_chosen(session: Session, marketer: Client, brand: Brand) -> None:
    make_advocates(session, brand, 8)
    counted = marketer.get("/console/campaigns/audience?audience_kind=top_n&audience_value=7&segment_locale=es").text
    assert "4 people would be chosen now." in counted
    assert "Bird 1" in counted
    assert "Bird 2" not in counted


def test_the_dry_run_is_a_file_too(session: Session, marketer: Client, brand: Brand) -> None:
    make_advocates(session, brand, 3)
    campaign = make_rewarded(session, brand, top=3, codes=2)
    lines = marketer.get(f"/console/campaigns/{campaign.id}/dry-run.csv").text.splitlines()
    assert [line.split(",")[-1] for line in lines[1:]] == ["", "", "no-code"]


def test_the_dry_run_shows_who_why_and_the_cost(session: Session, marketer: Client, brand: Brand) -> None:
    make_advocates(session, brand, 5)
    campaign = make_rewarded(session, brand, top=5, codes=3)
    page = marketer.get(f"/console/campaigns/{campaign.id}/dry-run").text
    assert "$15.00" in page
    assert "2 codes are missing" in page
    assert "Bird 4" in page
    assert pushes_of(session, campaign) == []


def test_the_states_are_reached_by_buttons(in_may_2030: None, marketer: Client, only: Any) -> None:
    marketer.post_form("/console/campaigns", FORM)
    states = []
    for noun in ("schedule", "draft", "schedule", "start", "pause", "resumption", "end"):
        assert marketer.post_form(f"/console/campaigns/{only().id}/{noun}").status_code == 302
        states.append(only().state)
    assert states == ["scheduled", "draft", "scheduled", "live", "paused", "live", "ended"]
    marketer.post_form(f"/console/campaigns/{only().id}/stop")
    assert only().state == "ended"
    assert "cannot do this" in marketer.get(f"/console/campaigns/{only().id}").text


def test_a_start_in_the_past_is_refused_with_the_reason(in_2031: None, marketer: Client, only: Any) -> None:
    marketer.post_form("/console/campaigns", FORM)
    page = marketer.post_form(f"/console/campaigns/{only().id}/schedule", follow_redirects=True)
    assert "in the past" in page.text
    assert only().state == "draft"


@pytest.mark.parametrize(
    ("local", "said"), [("2026-03-29T02:30", "3:00"), ("2026-10-25T02:30", "twice"), ("2026-07-01T09:00", None)]
)
def test_a_start_on_a_night_of_a_clock_change_says_what_was_decided(
    in_2026: None, marketer: Client, only: Any, local: str, said: str | None
) -> None:
    marketer.post_form("/console/campaigns", FORM | {"starts_local": local})
    page = marketer.get(f"/console/campaigns/{only().id}").text
    assert ("The clocks" in page) == bool(said)
    assert said is None or said in page


def test_codes_are_uploaded_from_a_file_or_pasted(session: Session, marketer: Client, brand: Brand) -> None:
    campaign = make_rewarded(session, brand, codes=0)
    path = f"/console/campaigns/{campaign.id}/codes"
    file = (io.BytesIO(b"code\nA1\nA2\nA1\n"), "codes.csv")
    page = marketer.post_form(path, {"file": file}, content_type="multipart/form-data")
    assert "This code stands in the file before." in page.text
    assert marketer.post_form(path, {"codes": "A2\nA3"}).status_code == 200
    assert sorted(session.scalars(sa.select(RewardCode.code))) == ["A1", "A2", "A3"]
    assert marketer.post_form(path, {}).status_code == 422
    bad = (io.BytesIO(b"A\xff\n"), "codes.csv")
    assert marketer.post_form(path, {"file": bad}, content_type="multipart/form-data").status_code == 400


@pytest.mark.parametrize("locale", ["en", "es"])
def test_a_test_mail_goes_to_oneself_and_its_code_is_worthless(
    session: Session, marketer: Client, brand: Brand, locale: str
) -> None:
    campaign = make_rewarded(session, brand)
    assert marketer.post_form(f"/console/campaigns/{campaign.id}/test-push", {"locale": locale}).status_code == 302
    mail = session.scalars(sa.select(Message)).one()
    assert (mail.address, mail.locale, mail.is_marketing) == ("marketer@acme.example", locale, False)
    rendered = render(mail, brand)
    for part in (rendered.text, rendered.html):
        assert "THANKS-0000-0000" in part
        assert "$5.00" in part or "5,00" in part
    assert rendered.subject


def test_results_tell_everybody_and_why(session: Session, marketer: Client, brand: Brand) -> None:
    make_advocates(session, brand, 4)
    campaign = make_rewarded(session, brand, top=3, codes=2)
    campaigns.start_due(session, START)
    path = f"/console/campaigns/{campaign.id}/results"
    page = marketer.get(path).text
    assert "There was no code left." in page
    assert "Bird 2" in page
    assert "number 1 and was given a reward" in marketer.get(path, query_string={"who": "P0@mail.example"}).text
    assert "left out: There was no code left." in marketer.get(path, query_string={"who": "Bird 2"}).text
    assert "not among those chosen" in marketer.get(path, query_string={"who": "x3"}).text
    assert "Nobody of yours" in marketer.get(path, query_string={"who": "stranger"}).text
    table = marketer.get(f"{path}.csv").text.splitlines()
    assert len(table) == 4
    assert table[1].startswith("1,1,Bird 0,earned,,en,500,USD")


def test_a_code_is_redeemed_at_the_counter(session: Session, marketer: Client, brand: Brand) -> None:
    make_advocates(session, brand, 1)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    code = pushes_of(session, campaign)[0].code
    assert "Redeemed: 20 % off" in marketer.post_form("/console/redemptions", {"code": code}).text
    assert "redeemed before" in marketer.post_form("/console/redemptions", {"code": code}).text
    assert marketer.post_form("/console/redemptions", {"code": "NOPE"}).status_code == 404


def test_a_shop_redeems_over_the_api(session: Session, client: Client, brand: Brand) -> None:
    make_advocates(session, brand, 1)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    key = a_key(session, brand, "rewards:write")
    code = pushes_of(session, campaign)[0].code
    first = client.post("/api/v1/redemptions", json={"code": code}, headers=key)
    again = client.post("/api/v1/redemptions", json={"code": code}, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert first.json is not None
    assert (first.json["state"], first.json["amount_minor"]) == ("redeemed", 500)
    unknown = client.post("/api/v1/redemptions", json={"code": "NOPE"}, headers=key)
    assert (unknown.status_code, unknown.json and unknown.json["rule"]) == (404, "code-unknown")
    assert client.post("/api/v1/redemptions", json={"code": 7}, headers=key).status_code == 422
    wrong = a_key(session, brand, "responses:read")
    assert client.post("/api/v1/redemptions", json={"code": code}, headers=wrong).status_code == 403


def test_the_brand_team_looks_and_changes_nothing(session: Session, client: Client, brand: Brand) -> None:
    client.sign_in(a_user(session, brand, "brand"))
    campaign = make_rewarded(session, brand)
    for page in ("", f"/{campaign.id}", f"/{campaign.id}/dry-run", f"/{campaign.id}/results"):
        shown = client.get(f"/console/campaigns{page}")
        assert shown.status_code == 200
        assert "/stop" not in shown.text
        assert "/new" not in shown.text
    assert client.post_form(f"/console/campaigns/{campaign.id}/stop").status_code == 403


def test_another_brands_campaign_is_not_there(session: Session, marketer: Client) -> None:
    other = make_rewarded(session, a_brand(session, "other"))
    for page in ("", "/edit", "/dry-run", "/results", "/results.csv"):
        assert marketer.get(f"/console/campaigns/{other.id}{page}").status_code == 404
    for noun in ("edit", "stop", "codes", "test-push", "schedule"):
        assert marketer.post_form(f"/console/campaigns/{other.id}/{noun}", {"codes": "A"}).status_code == 404


@pytest.mark.parametrize("page", ["", "/new", "/{id}", "/{id}/edit", "/{id}/dry-run", "/{id}/results"])
def test_every_page_speaks_spanish(session: Session, marketer: Client, brand: Brand, page: str) -> None:
    make_advocates(session, brand, 2)
    campaign = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    shown = marketer.get(
        f"/console/campaigns{page.format(id=campaign.id)}", query_string={"lang": "es", "who": "Bird 0"}
    )
    assert shown.status_code == 200
    assert 'lang="es"' in shown.text


@pytest.mark.usefixtures("in_may_2030")
@pytest.mark.parametrize("locale", ["en", "es"])
def test_a_milestone_is_written_shown_and_explained(
    session: Session, client: Client, brand: Brand, only: Any, locale: str
) -> None:
    user = a_user(session, brand, "marketer")
    user.locale = locale
    session.flush()
    client.sign_in(user)
    rule = {"trigger": "conversion", "at_least": "3", "given": "reached", "times": "5"}
    assert client.post_form("/console/campaigns", FORM | rule).status_code == 302
    campaign = only()
    reward = services.reward_of(session, campaign)
    assert reward is not None
    assert reward.rule == {"trigger": "conversion", "at_least": 3, "when": "reached", "times": 5}
    said = {"en": "For each further 3 purchases, at most 5 times", "es": "Por cada 3 compras más, como mucho 5 veces"}
    for page in ("", "/dry-run", "/results"):
        assert said[locale] in client.get(f"/console/campaigns/{campaign.id}{page}").text
    form = client.get(f"/console/campaigns/{campaign.id}/edit").text
    assert re.search(r'<option selected value="reached">', form)


@pytest.mark.usefixtures("in_may_2030")
def test_a_milestone_on_the_rank_is_refused_at_its_field(marketer: Client) -> None:
    answer = marketer.post_form("/console/campaigns", FORM | {"given": "reached", "at_least": "3"})
    assert answer.status_code == 422
    assert "A rank is known at a start only." in answer.text


def test_a_start_during_an_edit_stands_and_the_editor_is_told(in_may_2030: None, marketer: Client, only: Any) -> None:
    marketer.post_form("/console/campaigns", FORM)
    marketer.post_form(f"/console/campaigns/{only().id}/schedule")
    seen = str(only().version)
    marketer.post_form(f"/console/campaigns/{only().id}/start")
    page = marketer.post_form(f"/console/campaigns/{only().id}/edit", FORM | {"version": seen, "name": "Mine"})
    assert (page.status_code, only().state, only().name) == (409, "live", "Spring")
    assert "Mine" in page.text


def test_an_empty_audience_is_said_before_the_start(in_may_2030: None, marketer: Client, only: Any) -> None:
    marketer.post_form("/console/campaigns", FORM)
    assert "Nobody would be chosen" in marketer.get(f"/console/campaigns/{only().id}/dry-run").text
    marketer.post_form(f"/console/campaigns/{only().id}/start")
    assert only().state == "live"
