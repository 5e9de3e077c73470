"""A repeating campaign's starts each have their own ranking, their own rows in the ledger, and their own words."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import jobs
from amplify.core.errors import Invalid
from amplify.delivery.models import Message
from amplify.leaderboards.models import Snapshot
from amplify.rewards import writing
from amplify.rewards.models import Push
from tests.campaigns.making import campaign_in
from tests.client import Client
from tests.rewards.making import START, is_balanced, make_advocates, make_brand, make_rewarded, pushes_of, reward_in
from tests.rewards.test_views import FORM
from tests.world import a_brand, a_user

WEEK = timedelta(days=7)
WEEKLY = {"kind": "weekly", "weekdays": [5]}


@pytest.fixture
def weekly(session: Session) -> Campaign:
    brand = make_brand(session)
    make_advocates(session, brand, 3)
    campaign = make_rewarded(session, brand)
    campaign.repeats = WEEKLY
    campaigns.start_due(session, START)
    return campaign


def mails(session: Session) -> list[Message]:
    return list(session.scalars(sa.select(Message).where(Message.template == "reward").order_by(Message.id)))


def test_each_start_has_a_ranking_and_ledger_rows_of_its_own(session: Session, weekly: Campaign) -> None:
    later = START + WEEK
    campaigns.ring(session, later)
    taken = session.execute(sa.select(Snapshot.occurrence, Snapshot.taken_at).order_by(Snapshot.occurrence)).all()
    assert [tuple(row) for row in taken] == [(1, START), (2, later)]
    pushes = pushes_of(session, weekly)
    assert len({(push.occurrence, push.advocate_id) for push in pushes}) == len(pushes) == 6
    assert len({push.code for push in pushes}) == 6
    assert is_balanced(session, weekly)


def test_the_ledger_refuses_a_second_push_of_one_start_to_one_person(session: Session, weekly: Campaign) -> None:
    first = pushes_of(session, weekly)[0]
    own = {column.key: getattr(first, column.key) for column in sa.inspect(Push).column_attrs}
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(sa.insert(Push).values(own | {"id": first.id + 1000, "message_id": "another@x"}))


def test_words_changed_after_a_start_are_those_of_the_next_one(session: Session, weekly: Campaign) -> None:
    weekly.texts = {"en": weekly.texts["en"] | {"reward_text": "Come by."}, "es": {}}
    weekly.landing_url = "https://shop.example/new"
    session.flush()
    jobs.drain(session)
    assert {mail.context["reward_text"] for mail in mails(session)} == {
        "Show this code at the till.", "Muestra este código en caja.",
    }  # fmt: skip
    assert {mail.context["landing_url"] for mail in mails(session)} == {"https://shop.example/spring"}
    campaigns.ring(session, START + WEEK)
    jobs.drain(session)
    assert {mail.context["reward_text"] for mail in mails(session)[3:]} == {"Come by."}


def test_a_pause_after_two_starts_loses_no_push_of_either(session: Session, weekly: Campaign) -> None:
    campaigns.ring(session, START + WEEK)
    campaigns.pause(session, weekly, "user:1")
    jobs.drain(session)
    assert mails(session) == []
    with time_machine.travel(START + WEEK + timedelta(hours=1), tick=False):
        campaigns.resume(session, weekly, "user:1")
    jobs.drain(session)
    assert len(mails(session)) == 6


def test_the_form_writes_a_rule_and_shows_the_next_three_starts(session: Session, client: Client) -> None:
    with time_machine.travel(START - 4 * WEEK, tick=False):
        client.sign_in(a_user(session, a_brand(session), "marketer"))
        rule = {"repeat_kind": "monthly_weekday", "repeat_weekdays": "0", "repeat_nth": "1", "repeat_count": "6"}
        asked = client.get("/console/campaigns/starts", query_string=FORM | rule).text
        for day in ("Jun 3, 2030", "Jul 1, 2030", "Aug 5, 2030"):
            assert day in asked
        assert (
            asked
            == client.post_form("/console/campaigns", FORM | rule | {"starts": "1"})
            .text.split('id="next-starts" role="status">')[1]
            .split("</div>")[0]
        )
        shown = client.get(client.post_form("/console/campaigns", FORM | rule).location).text
        assert "every month: the first Monday, 6 times" in shown
        made = session.scalars(sa.select(Campaign)).one()
        assert made.repeats == {"kind": "monthly_weekday", "weekdays": [0], "nth": 1, "count": 6}
        form = client.get(f"/console/campaigns/{made.id}/edit").text
        assert 'value="6"' in form


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"repeat_kind": "weekly"}, "Choose at least one day of the week."),
        ({"repeat_kind": "monthly_day"}, "Please fill this in."),
        ({"repeat_kind": "monthly_day", "repeat_day": "32"}, "This number is not possible here."),
        (
            {"repeat_kind": "monthly_day", "repeat_day": "1", "repeat_count": "2", "repeat_until": "2031-01-01"},
            "Give a last day or a number of times, not both.",
        ),
    ],
)
def test_a_rule_that_means_nothing_is_told_at_its_field(session: Session, client: Client, rule: Any, said: str) -> None:
    client.sign_in(a_user(session, a_brand(session), "marketer"))
    answer = client.post_form("/console/campaigns", FORM | rule)
    assert answer.status_code == 422
    assert said in answer.text


OF_CODES = "It would still start after the last day of the codes."


@pytest.mark.parametrize(
    ("ends", "refused"),
    [
        ({}, True),
        ({"repeat_until": "2031-01-05"}, True),
        ({"repeat_count": "32"}, True),
        ({"repeat_until": "2031-01-03"}, False),
        ({"repeat_count": "31"}, False),  # the last one is on December 28
        ({"ends_local": "2031-01-04T09:00"}, False),  # none comes at or after the end
        ({"ends_local": "2031-01-04T09:01"}, True),
        ({"expires_on": ""}, False),
        ({"expires_on": "2031-01-04", "repeat_count": "32"}, False),  # that day counts
        ({"expires_on": "2031-01-03", "repeat_count": "32"}, True),
    ],
)
def test_a_rule_that_outlives_the_last_day_of_the_codes_is_refused(
    session: Session, client: Client, ends: dict[str, str], refused: bool
) -> None:
    client.sign_in(a_user(session, a_brand(session), "marketer"))
    answer = client.post_form("/console/campaigns", FORM | {"repeat_kind": "weekly", "repeat_weekdays": "5"} | ends)
    assert (answer.status_code, OF_CODES in answer.text) == ((422, True) if refused else (302, False))


def test_a_live_one_cannot_be_made_to_outlive_them_either(session: Session) -> None:
    campaign = make_rewarded(session, make_brand(session), expires_on="2030-12-31")
    campaigns.start_due(session, START)
    again = campaign_in(name=campaign.name, texts=campaign.texts, audience=campaign.audience, repeats=WEEKLY)
    gives = reward_in(expires_on="2030-12-31")
    with pytest.raises(Invalid) as refused, session.begin_nested():
        writing.edit(session, campaign, again, writing.Gifts(gives), "user:1", campaign.version)
    assert (refused.value.field, refused.value.rule) == ("repeats.until", "after-last-day")


def test_what_was_skipped_and_why_stands_on_its_page(session: Session, client: Client, weekly: Campaign) -> None:
    campaigns.pause(session, weekly, "user:1")
    campaigns.ring(session, START + WEEK)
    client.sign_in(a_user(session, weekly_brand(session, weekly), "brand"))
    page = client.get(f"/console/campaigns/{weekly.id}").text
    assert "The campaign was paused then." in page
    assert "every week: Saturday" in page


def test_a_copy_is_made_in_the_console(session: Session, client: Client, weekly: Campaign) -> None:
    client.sign_in(a_user(session, weekly_brand(session, weekly), "marketer"))
    answer = client.post_form(f"/console/campaigns/{weekly.id}/copies", {})
    copy = session.scalars(sa.select(Campaign).where(Campaign.state == "draft")).one()
    assert answer.location == f"/console/campaigns/{copy.id}/edit"
    assert "Top 10 (copy)" in client.get(answer.location).text


def weekly_brand(session: Session, campaign: Campaign) -> Brand:
    return session.get_one(Brand, campaign.brand_id)
