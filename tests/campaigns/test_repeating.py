"""A campaign that repeats: each time is a start of its own, once; late ones fire once, skipped ones are said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.campaigns import queries, services
from amplify.campaigns.models import Campaign
from amplify.core.errors import Invalid
from tests.campaigns.making import campaign_in, make_brand, make_campaign
from tests.campaigns.test_recurrence import NIGHTS, utc, weekly_on

BEFORE = datetime(2030, 5, 1, tzinfo=UTC)
WEEKLY = {"kind": "weekly", "weekdays": [5]}  # Saturdays; 2030-06-01 is one
FIRST = datetime(2030, 6, 1, 7, tzinfo=UTC)
WEEK = timedelta(days=7)


def repeating(session: Session, repeats: dict[str, Any] = WEEKLY, **changes: Any) -> Campaign:
    campaign = make_campaign(session, make_brand(session), repeats=repeats, **changes)
    services.schedule(session, campaign, BEFORE, "user:1")
    return campaign


def told(session: Session, campaign: Campaign) -> list[tuple[datetime, int | None, str]]:
    return [(one.due_at, one.number, one.reason) for one in reversed(queries.occurrences(session, campaign))]


def test_each_time_is_a_start_of_its_own(session: Session) -> None:
    campaign = repeating(session)
    for week in range(3):
        at = FIRST + week * WEEK
        assert queries.upcoming(session) == [at]
        assert services.ring(session, at - timedelta(seconds=1)) == 0
        assert services.ring(session, at) == 1
        assert services.ring(session, at) == 0
        assert (campaign.state, campaign.occurrence, campaign.started_at) == ("live", week + 1, FIRST)
    assert told(session, campaign) == [(FIRST + n * WEEK, n + 1, "") for n in range(3)]


def test_starts_that_nobody_was_there_for_fire_late_once_and_the_others_are_said(session: Session) -> None:
    campaign = repeating(session)
    services.ring(session, FIRST)
    late = FIRST + 3 * WEEK + timedelta(hours=5)
    assert services.ring(session, late) == 1
    assert services.ring(session, late) == 0
    assert told(session, campaign)[1:] == [
        (FIRST + WEEK, None, "missed"), (FIRST + 2 * WEEK, None, "missed"), (FIRST + 3 * WEEK, 2, ""),
    ]  # fmt: skip
    assert campaign.next_at == FIRST + 4 * WEEK
    said = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "campaign.skipped")).one()
    assert said.detail["reason"] == "missed"


def test_several_first_starts_that_were_missed_are_one(session: Session) -> None:
    campaign = repeating(session)
    services.ring(session, FIRST + 2 * WEEK)
    assert told(session, campaign) == [
        (FIRST, None, "missed"), (FIRST + WEEK, None, "missed"), (FIRST + 2 * WEEK, 1, ""),
    ]  # fmt: skip


def test_what_falls_into_a_pause_is_skipped_and_said(session: Session) -> None:
    campaign = repeating(session)
    services.ring(session, FIRST)
    services.pause(session, campaign, "user:1")
    assert services.ring(session, FIRST + WEEK) == 1
    assert (campaign.state, campaign.occurrence) == ("paused", 1)
    with time_machine.travel(FIRST + 2 * WEEK + timedelta(hours=1), tick=False):  # the clock was away, too
        services.resume(session, campaign, "user:1")
        assert services.ring(session, FIRST + 2 * WEEK + timedelta(hours=1)) == 0
    assert told(session, campaign)[1:] == [(FIRST + WEEK, None, "paused"), (FIRST + 2 * WEEK, None, "paused")]
    services.ring(session, FIRST + 3 * WEEK)
    assert (campaign.state, campaign.occurrence) == ("live", 2)


@pytest.mark.parametrize("verb", [services.stop, services.end])
def test_what_is_over_repeats_no_more(session: Session, verb: Any) -> None:
    campaign = repeating(session)
    services.ring(session, FIRST)
    verb(session, campaign, "user:1")
    assert queries.upcoming(session) == []
    assert services.ring(session, FIRST + 9 * WEEK) == 0
    assert campaign.occurrence == 1


def test_after_its_last_time_it_stays_live_until_its_end(session: Session) -> None:
    campaign = repeating(session, WEEKLY | {"count": 2}, ends_local="2030-07-01T09:00")
    services.ring(session, FIRST)
    services.ring(session, FIRST + WEEK)
    assert (campaign.state, campaign.next_at, queries.upcoming(session)) == ("live", None, [campaign.ends_at])
    services.ring(session, FIRST + 8 * WEEK)
    assert (campaign.state, campaign.occurrence) == ("ended", 2)


def test_no_start_comes_after_the_end_however_late_the_clock_is(session: Session) -> None:
    campaign = repeating(session, ends_local="2030-06-10T09:00")
    services.ring(session, FIRST + 10 * WEEK)
    assert told(session, campaign) == [(FIRST, None, "missed"), (FIRST + WEEK, 1, "")]
    assert campaign.state == "ended"


def test_a_start_at_once_comes_besides_the_ones_of_the_rule(session: Session) -> None:
    campaign = make_campaign(session, make_brand(session), repeats=WEEKLY)
    services.start_now(session, campaign, BEFORE, "user:1")
    assert (campaign.started_at, campaign.next_at, campaign.starts_local) == (BEFORE, FIRST, "2030-06-01T09:00")
    services.ring(session, FIRST)
    assert told(session, campaign) == [(BEFORE, 1, ""), (FIRST, 2, "")]


def test_a_rule_changed_while_live_counts_from_then_on(session: Session) -> None:
    campaign = repeating(session)
    services.ring(session, FIRST)
    with time_machine.travel(FIRST + timedelta(days=1), tick=False):
        monthly = campaign_in(repeats={"kind": "monthly_day", "day": 1})
        services.edit(session, campaign, monthly, "user:1", campaign.version)
        assert campaign.next_at == utc("2030-07-01T07:00")
        services.edit(session, campaign, campaign_in(), "user:1", campaign.version)
    assert campaign.next_at is None


def test_a_start_that_is_due_is_not_lost_by_a_change(session: Session) -> None:
    campaign = repeating(session)
    services.ring(session, FIRST)
    with time_machine.travel(FIRST + WEEK + timedelta(seconds=1), tick=False):
        services.edit(session, campaign, campaign_in(repeats=WEEKLY, name="New"), "user:1", campaign.version)
    assert campaign.next_at == FIRST + WEEK


def test_a_rule_needs_a_start_and_one_that_never_starts_is_refused(session: Session) -> None:
    brand = make_brand(session)
    with pytest.raises(Invalid) as refused:
        make_campaign(session, brand, repeats=WEEKLY, starts_local="")
    assert (refused.value.field, refused.value.rule) == ("starts_local", "required")
    with pytest.raises(Invalid) as refused:
        make_campaign(session, brand, repeats=WEEKLY | {"until": "2030-05-31"})
    assert (refused.value.field, refused.value.rule) == ("repeats.until", "no-start")


@pytest.mark.parametrize(("zone", "spring", "gap", "autumn", "overlap"), NIGHTS)
def test_both_nights_start_once(session: Session, zone: str, spring: str, gap: str, autumn: str, overlap: str) -> None:
    for n, (first, expected) in enumerate(((spring, gap), (autumn, overlap))):
        brand = make_brand(session, f"brand-{n}")
        campaign = make_campaign(session, brand, starts_local=first, timezone=zone, repeats=weekly_on(first))
        assert campaign.starts_at is not None
        services.schedule(session, campaign, campaign.starts_at - WEEK, "user:1")
        services.ring(session, campaign.starts_at)
        for minutes in range(-180, 181, 15):  # the clock rings all through the night
            at = utc(expected) + timedelta(minutes=minutes)
            with time_machine.travel(at, tick=False):
                services.ring(session, at)
        assert campaign.occurrence == 2
        assert told(session, campaign)[1] == (utc(expected), 2, "")
        services.stop(session, campaign, "user:1")
