"""A rule means the same starts for everybody: the days, the wall time, and both nights when the clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amplify.campaigns.recurrence import between, dues, upcoming
from amplify.core.errors import Invalid
from tests.campaigns.making import campaign_in

FIRST_MONDAY = {"kind": "monthly_weekday", "weekdays": [0], "nth": 1}
# Zone; a weekly wall time that falls into the gap and into the overlap; a day before each; the instant it means then.
NIGHTS = [
    ("Europe/Berlin", "2026-03-22T02:30", "2026-03-29T01:00", "2026-10-18T02:30", "2026-10-25T00:30"),
    ("America/New_York", "2026-03-01T02:30", "2026-03-08T07:00", "2026-10-25T01:30", "2026-11-01T05:30"),
    ("Australia/Lord_Howe", "2026-09-27T02:15", "2026-10-03T15:30", "2026-03-29T01:45", "2026-04-04T14:45"),
    ("America/Santiago", "2026-08-30T00:20", "2026-09-06T04:00", "2026-03-28T23:30", "2026-04-05T02:30"),
    ("Antarctica/Troll", "2026-03-22T02:59", "2026-03-29T01:00", "2026-10-18T01:15", "2026-10-24T23:15"),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def locals_of(repeats: dict[str, Any], starts_local: str, count: int = 4, zone: str = "Europe/Berlin") -> list[str]:
    return [due.local for due in islice(dues(repeats, starts_local, zone), count)]


def weekly_on(local: str) -> dict[str, Any]:
    return {"kind": "weekly", "weekdays": [datetime.fromisoformat(local).weekday()]}


def test_what_does_not_repeat_starts_once() -> None:
    assert locals_of({}, "2030-06-01T09:00") == ["2030-06-01T09:00"]


def test_every_first_monday_begins_with_the_first_one_from_the_start_on() -> None:
    found = locals_of(FIRST_MONDAY, "2026-11-24T09:00")
    assert found == ["2026-12-07T09:00", "2027-01-04T09:00", "2027-02-01T09:00", "2027-03-01T09:00"]


def test_the_last_friday_of_each_month() -> None:
    rule = {"kind": "monthly_weekday", "weekdays": [4], "nth": -1}
    assert locals_of(rule, "2026-01-01T18:00", 3) == ["2026-01-30T18:00", "2026-02-27T18:00", "2026-03-27T18:00"]


def test_every_week_on_two_days() -> None:
    rule = {"kind": "weekly", "weekdays": [1, 3]}
    assert locals_of(rule, "2026-11-24T09:00") == [f"2026-{day}T09:00" for day in ("11-24", "11-26", "12-01", "12-03")]


@pytest.mark.parametrize(
    ("day", "expected"), [(30, "01-30 02-28 03-30"), (31, "01-31 02-28 03-31"), (1, "02-01 03-01 04-01")]
)
def test_a_day_that_a_month_has_not_is_its_last_one(day: int, expected: str) -> None:
    found = locals_of({"kind": "monthly_day", "day": day}, "2026-01-15T09:00", 3)
    assert found == [f"2026-{one}T09:00" for one in expected.split()]


def test_it_ends_by_day_or_by_count() -> None:
    until = locals_of(FIRST_MONDAY | {"until": "2027-01-04"}, "2026-11-24T09:00")
    assert (
        until == locals_of(FIRST_MONDAY | {"count": 2}, "2026-11-24T09:00") == ["2026-12-07T09:00", "2027-01-04T09:00"]
    )


def test_the_end_of_the_campaign_ends_the_repetition_too() -> None:
    after, end = utc("2026-12-01T00:00"), utc("2027-01-04T08:00")
    found = upcoming(FIRST_MONDAY, "2026-11-24T09:00", "Europe/Berlin", after, end)
    assert [due.local for due in found] == ["2026-12-07T09:00"]
    assert between(FIRST_MONDAY, "2026-11-24T09:00", "Europe/Berlin", end, end + timedelta(days=90), end) == []


def test_the_years_end_where_wall_times_do() -> None:
    assert len(list(dues(FIRST_MONDAY, "2200-10-01T09:00", "UTC"))) == 3


@pytest.mark.parametrize(("zone", "spring", "gap", "autumn", "overlap"), NIGHTS)
def test_the_nights_when_the_clocks_change_are_read_like_every_start(
    zone: str, spring: str, gap: str, autumn: str, overlap: str
) -> None:
    found = list(islice(dues(weekly_on(spring), spring, zone), 3))
    assert [due.case for due in found] == ["exact", "gap", "exact"]
    assert found[1].at == utc(gap)
    found = list(islice(dues(weekly_on(autumn), autumn, zone), 3))
    assert [due.case for due in found] == ["exact", "overlap", "exact"]
    assert found[1].at == utc(overlap)


@settings(deadline=None, max_examples=60)
@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2036, 1, 1)),  # noqa: DTZ001 - wall times
    st.sampled_from([night[0] for night in NIGHTS]),
    st.sampled_from(
        [{"kind": "weekly", "weekdays": [5, 6]}, {"kind": "monthly_day", "day": 29}, FIRST_MONDAY | {"weekdays": [6]}]
    ),
)
def test_each_start_comes_after_the_one_before_at_the_same_wall_time(
    first: datetime, zone: str, rule: dict[str, Any]
) -> None:
    starts_local = first.strftime("%Y-%m-%dT%H:%M")
    found = list(islice(dues(rule, starts_local, zone), 30))
    instants = [due.at for due in found]
    assert instants == sorted(set(instants))
    for due in found:
        shown = due.at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")
        assert due.local[11:] == starts_local[11:]
        assert shown == due.local or due.case == "gap"


@pytest.mark.parametrize(
    ("repeats", "field"),
    [
        ({"kind": "daily"}, "repeats.kind"),
        ({"kind": "weekly"}, "repeats"),
        ({"kind": "weekly", "weekdays": [7]}, "repeats.weekdays.0"),
        ({"kind": "monthly_weekday", "weekdays": [0], "nth": 5}, "repeats.nth"),
        ({"kind": "monthly_day", "day": 32}, "repeats.day"),
        ({"kind": "monthly_day", "day": 1, "count": 0}, "repeats.count"),
        ({"kind": "monthly_day", "day": 1, "count": 3, "until": "2030-01-01"}, "repeats"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_by_field(repeats: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        campaign_in(repeats=repeats)
    assert refused.value.field == field
