"""A wall time means one instant, also on the nights when the clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amplify.campaigns.schedule import instant_of, local_of, read_local, zone_names
from amplify.core.errors import Invalid

# Zone, a wall time that does not exist, the first that does after it, its offset then.
GAPS = [
    ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00", "03:00"),
    ("America/New_York", "2026-03-08T02:00", "2026-03-08T07:00", "03:00"),
    ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30", "02:30"),
    ("America/Santiago", "2026-09-06T00:20", "2026-09-06T04:00", "01:00"),
    ("Antarctica/Troll", "2026-03-29T02:59", "2026-03-29T01:00", "03:00"),
    ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00", "00:00"),
]
# Zone, a wall time that exists twice, the first of the two instants.
OVERLAPS = [
    ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),
    ("America/New_York", "2026-11-01T01:00", "2026-11-01T05:00"),
    ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
    ("America/Santiago", "2026-04-04T23:30", "2026-04-05T02:30"),
    ("Antarctica/Troll", "2026-10-25T01:15", "2026-10-24T23:15"),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "wall", "expected", "shown"), GAPS)
def test_a_time_that_the_clocks_skip_becomes_the_next_one_that_exists(
    zone: str, wall: str, expected: str, shown: str
) -> None:
    reading = read_local(wall, zone)
    assert (reading.instant, reading.case) == (utc(expected), "gap")
    assert local_of(reading.instant, zone).endswith(shown)


@pytest.mark.parametrize(("zone", "wall", "expected"), OVERLAPS)
def test_a_time_that_comes_twice_is_the_first_of_the_two(zone: str, wall: str, expected: str) -> None:
    reading = read_local(wall, zone)
    assert (reading.instant, reading.case) == (utc(expected), "overlap")
    assert local_of(reading.instant, zone) == wall


def test_an_ordinary_time_is_taken_as_it_stands() -> None:
    assert instant_of("2026-07-01T09:00", "Europe/Berlin") == utc("2026-07-01T07:00")
    assert read_local("2026-07-01T09:00", "UTC").case == "exact"


@settings(deadline=None)
@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2036, 1, 1)),  # noqa: DTZ001
    st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca"]
    ),
)
def test_every_wall_time_means_an_instant_at_most_a_gap_later_than_written(wall: datetime, zone: str) -> None:
    wall = wall.replace(second=0, microsecond=0)
    reading = read_local(wall.strftime("%Y-%m-%dT%H:%M"), zone)
    back = reading.instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if reading.case == "gap":
        assert wall < back <= wall + timedelta(hours=1)
        before = reading.instant - timedelta(seconds=1)
        assert before.astimezone(ZoneInfo(zone)).replace(tzinfo=None) < wall
    else:
        assert back == wall


@pytest.mark.parametrize(
    "local", ["", "tomorrow", "2026-02-30T09:00", "2026-01-01 09:00", "1999-01-01T00:00", "٢٠٢٦-01-01T09:00"]
)
def test_what_is_no_wall_time_is_refused_by_field(local: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_local(local, "UTC", "ends_local")
    assert (refused.value.field, refused.value.rule) == ("ends_local", "local-time")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_local("2026-01-01T09:00", zone)
    assert refused.value.rule == "timezone"


def test_zones_are_offered_by_place() -> None:
    names = zone_names()
    assert names[0] == "UTC"
    assert "America/Mexico_City" in names
    assert "EST5EDT" not in names
