"""The calendar shows what is planned, what happened and what was skipped; as a page, and as a file others read."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import ics, planner, services
from amplify.campaigns.models import Campaign
from tests.campaigns.making import make_campaign
from tests.client import Client
from tests.world import a_brand, a_user

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)
WEEKLY = {"kind": "weekly", "weekdays": [5]}
FIRST = datetime(2030, 6, 1, 7, tzinfo=UTC)
PAGE = "/console/campaigns/calendar"


@pytest.fixture
def may() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def brand(session: Session, may: Any) -> Brand:
    return a_brand(session, timezone="Europe/Berlin")


@pytest.fixture
def staff(session: Session, client: Client, brand: Brand) -> Client:
    client.sign_in(a_user(session, brand, "brand"))
    return client


def marked(session: Session, brand: Brand, first: date) -> list[tuple[int, str, str]]:
    shown = planner.month(session, brand, first, NOW)
    return [(day.date.day, mark.kind, mark.campaign.name) for day in shown.days if day.is_inside for mark in day.marks]


def scheduled(session: Session, brand: Brand, **changes: Any) -> Campaign:
    campaign = make_campaign(session, brand, **changes)
    services.schedule(session, campaign, NOW, "user:1")
    return campaign


def test_a_month_is_whole_weeks_from_monday_on(session: Session, brand: Brand) -> None:
    for first, begin, count in ((date(2030, 6, 1), date(2030, 5, 27), 35), (date(2027, 2, 1), date(2027, 2, 1), 28)):
        shown = planner.month(session, brand, first, NOW)
        assert (shown.days[0].date, len(shown.days)) == (begin, count)
        assert sum(day.is_inside for day in shown.days) == (shown.after - first).days
    assert (shown.before, shown.after) == (date(2027, 1, 1), date(2027, 3, 1))


def test_what_is_planned_stands_on_its_days(session: Session, brand: Brand) -> None:
    make_campaign(session, brand, name="Draft")
    scheduled(session, brand, name="Once", starts_local="2030-06-10T09:00", ends_local="2030-06-20T09:00")
    scheduled(session, brand, name="Weekly", repeats=WEEKLY | {"until": "2030-06-15"})
    assert marked(session, brand, date(2030, 6, 1)) == [
        (1, "draft", "Draft"), (1, "planned", "Weekly"), (8, "planned", "Weekly"), (10, "planned", "Once"),
        (15, "planned", "Weekly"), (20, "end", "Once"),
    ]  # fmt: skip


def test_what_happened_and_what_was_skipped_stands_where_it_was(session: Session, brand: Brand) -> None:
    weekly = scheduled(session, brand, repeats=WEEKLY)
    services.ring(session, FIRST + timedelta(days=15))
    services.ring(session, FIRST + timedelta(days=21))
    services.stop(session, weekly, "user:1")
    weekly.finished_at = FIRST + timedelta(days=24)
    session.flush()
    told = [(day, kind) for day, kind, _name in marked(session, brand, date(2030, 6, 1))]
    assert told == [(1, "skipped"), (8, "skipped"), (16, "started"), (22, "started"), (25, "ended")]


def test_live_campaigns_cover_their_days(session: Session, brand: Brand) -> None:
    campaign = scheduled(session, brand, ends_local="2030-06-03T09:00")
    services.ring(session, FIRST)
    shown = planner.month(session, brand, date(2030, 6, 1), NOW)
    assert [day.date.day for day in shown.days if day.live] == [1, 2, 3]
    assert shown.live == [campaign]
    assert planner.month(session, brand, date(2030, 7, 1), NOW).live == []


def test_a_day_is_one_of_the_brands_time_zone(session: Session, brand: Brand) -> None:
    scheduled(session, brand, starts_local="2030-05-31T18:30", timezone="America/New_York")
    assert [day for day, _kind, _name in marked(session, brand, date(2030, 6, 1))] == [1]


def test_another_brands_campaigns_are_not_shown(session: Session, brand: Brand) -> None:
    other = a_brand(session, "other")
    scheduled(session, other)
    services.ring(session, FIRST)
    assert marked(session, brand, date(2030, 6, 1)) == []
    assert planner.month(session, brand, date(2030, 6, 1), NOW).live == []


def test_the_page_leads_from_month_to_month(session: Session, brand: Brand, staff: Client) -> None:
    campaign = scheduled(session, brand, name="<b>Ünique</b>")
    page = staff.get(f"{PAGE}?month=2030-06").text
    assert f'href="/console/campaigns/{campaign.id}"' in page
    assert "&lt;b&gt;Ünique&lt;/b&gt;" in page
    assert f'href="{PAGE}?month=2030-05"' in page
    assert f'href="{PAGE}?month=2030-07"' in page
    assert "Nothing starts or ends in this month." in staff.get(PAGE).text
    assert "2030-05-01" in staff.get(PAGE).text


@pytest.mark.parametrize("month", ["2030-13", "2030-6", "June", "1999-01", "2030-06-01", "٢٠٣٠-06"])
def test_what_is_no_month_is_refused_by_field(staff: Client, month: str) -> None:
    answer = staff.get(PAGE, query_string={"month": month})
    assert answer.status_code == 422
    assert "Give a month as 2026-11." in answer.text


def test_the_file_has_every_start_once_under_an_id_that_stays(session: Session, brand: Brand, staff: Client) -> None:
    campaign = scheduled(session, brand, name="Weekly; really, yes", repeats=WEEKLY | {"count": 2})

    def events() -> dict[str, dict[str, str]]:
        answer = staff.get(f"{PAGE}/campaigns.ics")
        assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
        text = answer.text.replace("\r\n ", "")
        blocks = text.split("BEGIN:VEVENT\r\n")[1:]
        rows = [dict(line.split(":", 1) for line in block.split("END:VEVENT")[0].splitlines()) for block in blocks]
        return {row["UID"]: row for row in rows}

    before = events()
    assert [row["DTSTART"] for row in before.values()] == ["20300601T070000Z", "20300608T070000Z"]
    assert {row["SUMMARY"] for row in before.values()} == {"Start: Weekly\\; really\\, yes"}
    services.ring(session, FIRST + timedelta(hours=2))
    with time_machine.travel(FIRST + timedelta(hours=3), tick=False):
        staff.sign_in(a_user(session, brand, "marketer"))
        after = events()
    assert after.keys() == before.keys()
    assert next(iter(after.values()))["SUMMARY"].startswith("Started: ")
    assert all(row["URL"].endswith(f"/console/campaigns/{campaign.id}") for row in after.values())


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_a_folded_line_is_short_and_reads_as_before(text: str) -> None:
    parts = list(ics.fold(text))
    assert all(len(part.encode()) <= ics.LINE for part in parts)
    assert "".join([parts[0], *(part[1:] for part in parts[1:])]) == text
    assert all(part.startswith(" ") for part in parts[1:])


def test_a_text_is_escaped_so_that_it_cannot_add_a_line() -> None:
    assert ics.escaped("a;b,c\\d\r\nEND:VEVENT") == "a\\;b\\,c\\\\d\\nEND:VEVENT"
