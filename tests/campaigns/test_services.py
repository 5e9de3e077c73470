"""A campaign's life: written, scheduled, started once, paused, ended or stopped; each verb leaves its trace."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.brands.models import Location
from amplify.campaigns import queries, services
from amplify.campaigns.events import CampaignStarted
from amplify.campaigns.models import Campaign
from amplify.campaigns.schedule import instant_of
from amplify.core.errors import Conflict, Forbidden, Invalid, NotFound
from tests.campaigns.making import TEXTS, campaign_in, make_brand, make_campaign

BEFORE = datetime(2030, 5, 1, tzinfo=UTC)
START = instant_of("2030-06-01T09:00", "Europe/Berlin")


def actions(session: Session, campaign: Campaign) -> list[str]:
    found = sa.select(AuditEntry.action).where(AuditEntry.subject_id == str(campaign.id)).order_by(AuditEntry.id)
    return list(session.scalars(found))


def scheduled(session: Session, **changes: Any) -> Campaign:
    campaign = make_campaign(session, make_brand(session), **changes)
    services.schedule(session, campaign, BEFORE, "user:1")
    return campaign


def test_a_campaign_keeps_the_wall_time_and_its_instant(session: Session) -> None:
    campaign = make_campaign(session, make_brand(session), ends_local="2030-07-01T09:00")
    assert (campaign.state, campaign.starts_local) == ("draft", "2030-06-01T09:00")
    assert campaign.starts_at == datetime(2030, 6, 1, 7, tzinfo=UTC)
    assert campaign.ends_at == datetime(2030, 7, 1, 7, tzinfo=UTC)


def test_an_end_before_the_start_is_refused(session: Session) -> None:
    with pytest.raises(Invalid) as refused:
        make_campaign(session, make_brand(session), ends_local="2030-06-01T08:59")
    assert (refused.value.field, refused.value.rule) == ("ends_local", "after-start")


def test_an_audience_at_another_brands_location_is_refused(session: Session) -> None:
    other = make_brand(session, "other")
    place = Location(brand_id=other.id, key="berlin", name="Berlin")
    session.add(place)
    session.flush()
    with pytest.raises(Invalid) as refused:
        make_campaign(session, make_brand(session), audience={"kind": "top_n", "value": 1, "location_id": place.id})
    assert refused.value.field == "audience.location_id"


@pytest.mark.parametrize(
    "audience",
    [
        {"kind": "top_n", "value": 0}, {"kind": "top_percent", "value": 101}, {"kind": "likes", "value": 3},
        {"kind": "top_n", "value": 10**30}, {"kind": "top_n", "value": "many"},
        {"kind": "top_n", "value": 1, "location_id": 1, "business_line_id": 1},
    ],
)  # fmt: skip
def test_an_audience_out_of_range_is_refused(audience: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        campaign_in(audience=audience)
    assert str(refused.value.field).startswith("audience")


@pytest.mark.parametrize("name", ["", "a" * 201, "nul\x00", "lone \ud800", "two\nlines"])
def test_a_name_that_cannot_be_kept_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        campaign_in(name=name)
    assert refused.value.field == "name"


def test_a_start_in_the_past_is_refused_when_scheduling(session: Session) -> None:
    campaign = make_campaign(session, make_brand(session))
    with pytest.raises(Invalid) as refused:
        services.schedule(session, campaign, START, "user:1")
    assert (refused.value.field, refused.value.rule) == ("starts_local", "past")
    assert campaign.state == "draft"


def test_a_start_that_is_not_decided_cannot_be_scheduled(session: Session) -> None:
    campaign = make_campaign(session, make_brand(session), starts_local="")
    with pytest.raises(Invalid) as refused:
        services.schedule(session, campaign, BEFORE, "user:1")
    assert refused.value.rule == "required"


def test_a_campaign_starts_when_its_time_has_come_and_not_before(session: Session) -> None:
    campaign = scheduled(session)
    assert services.start_due(session, START - timedelta(seconds=1)) == []
    assert services.start_due(session, START) == [campaign]
    assert (campaign.state, campaign.occurrence, campaign.started_at) == ("live", 1, START)


def test_a_start_that_nobody_was_there_for_fires_late_and_once(session: Session) -> None:
    campaign = scheduled(session)
    late = START + timedelta(days=3)
    assert services.start_due(session, late) == [campaign]
    assert services.start_due(session, late) == []
    assert (campaign.occurrence, campaign.started_at) == (1, late)


def test_an_end_that_was_missed_comes_late(session: Session) -> None:
    campaign = scheduled(session, ends_local="2030-06-02T09:00")
    late = START + timedelta(days=30)
    services.start_due(session, late)
    assert services.end_due(session, late) == [campaign]
    assert services.end_due(session, late) == []
    assert (campaign.state, campaign.finished_at) == ("ended", late)


def test_the_clock_knows_when_to_ring(session: Session) -> None:
    campaign = scheduled(session, ends_local="2030-06-02T09:00")
    assert queries.upcoming(session) == [campaign.starts_at]
    services.start_due(session, START)
    assert queries.upcoming(session) == [campaign.ends_at]
    assert services.ring(session, START + timedelta(days=2)) == 1
    assert queries.upcoming(session) == []


def test_each_verb_is_audited(session: Session) -> None:
    campaign = scheduled(session)
    services.unschedule(session, campaign, "user:2")
    services.schedule(session, campaign, BEFORE, "user:2")
    services.start_due(session, START)
    services.pause(session, campaign, "user:2")
    services.resume(session, campaign, "user:2")
    services.end(session, campaign, "user:2")
    told = "created scheduled unscheduled scheduled started paused resumed ended"
    assert actions(session, campaign) == [f"campaign.{what}" for what in told.split()]


@pytest.mark.parametrize("verb", [services.pause, services.resume, services.end, services.stop, services.unschedule])
def test_a_draft_cannot_be_paused_resumed_ended_stopped_or_unscheduled(session: Session, verb: Any) -> None:
    campaign = make_campaign(session, make_brand(session))
    with pytest.raises(Conflict):
        verb(session, campaign, "user:1")
    assert campaign.state == "draft"


def test_a_start_at_once_needs_no_time(session: Session) -> None:
    campaign = make_campaign(session, make_brand(session), starts_local="")
    services.start_now(session, campaign, BEFORE, "user:1")
    assert (campaign.state, campaign.started_at, campaign.occurrence) == ("live", BEFORE, 1)
    with pytest.raises(Conflict):
        services.start_now(session, campaign, BEFORE, "user:1")
    assert campaign.occurrence == 1


def test_the_second_editor_is_told_and_overwrites_nothing(session: Session) -> None:
    campaign = make_campaign(session, make_brand(session))
    seen = campaign.version
    services.edit(session, campaign, campaign_in(name="First"), "user:1", seen)
    with pytest.raises(Conflict) as refused:
        services.edit(session, campaign, campaign_in(name="Second"), "user:2", seen)
    assert refused.value.rule == "version"
    assert campaign.name == "First"


def test_what_decided_the_start_stays_once_it_is_live(session: Session) -> None:
    campaign = scheduled(session)
    services.start_due(session, START)
    services.edit(session, campaign, campaign_in(name="Renamed"), "user:1", campaign.version)
    assert campaign.name == "Renamed"
    with pytest.raises(Conflict) as refused:
        services.edit(session, campaign, campaign_in(audience={"value": 99}), "user:1", campaign.version)
    assert (refused.value.field, refused.value.rule) == ("audience", "fixed-once-live")


def test_what_is_over_is_not_edited(session: Session) -> None:
    campaign = scheduled(session)
    services.stop(session, campaign, "user:1")
    with pytest.raises(Conflict):
        services.edit(session, campaign, campaign_in(), "user:1", campaign.version)


def test_a_rewarded_campaign_without_its_disclosure_is_not_published(session: Session) -> None:
    campaign = make_campaign(session, make_brand(session), texts={"en": {"headline": "Hi"}})
    campaign.is_rewarded = True
    with pytest.raises(Forbidden) as refused:
        services.schedule(session, campaign, BEFORE, "user:1")
    assert refused.value.rule == "16-cfr-255.5"


def test_the_always_on_campaign_is_made_once(session: Session) -> None:
    brand = make_brand(session)
    first = services.ensure_always_on(session, brand, "https://shop.example/", TEXTS)
    assert services.ensure_always_on(session, brand, "https://shop.example/other", TEXTS).id == first.id
    assert (first.state, first.version, first.occurrence, first.is_rewarded) == ("live", 1, 0, False)
    with pytest.raises(Conflict):
        services.stop(session, first, "user:1")


def test_shares_go_to_the_newest_live_campaign_that_fits_else_to_the_always_on_one(session: Session) -> None:
    brand = make_brand(session)
    with pytest.raises(NotFound):
        services.live_campaign_for(session, brand, location_id=None, business_line_id=None)
    always = services.ensure_always_on(session, brand, "https://shop.example/", TEXTS)
    place = Location(brand_id=brand.id, key="berlin", name="Berlin")
    session.add(place)
    session.flush()
    here = make_campaign(session, brand, audience={"value": 5, "location_id": place.id})
    services.start_now(session, here, BEFORE, "user:1")
    assert services.live_campaign_for(session, brand, location_id=None, business_line_id=None) is always
    assert services.live_campaign_for(session, brand, location_id=place.id, business_line_id=None) is here
    everywhere = make_campaign(session, brand)
    services.start_now(session, everywhere, BEFORE + timedelta(days=1), "user:1")
    assert services.live_campaign_for(session, brand, location_id=place.id, business_line_id=None) is everywhere
    services.pause(session, everywhere, "user:1")
    assert services.live_campaign_for(session, brand, location_id=place.id, business_line_id=None) is here


def test_another_brands_campaign_is_not_found(session: Session) -> None:
    campaign = make_campaign(session, make_brand(session))
    with pytest.raises(NotFound):
        queries.get(session, make_brand(session, "other").id, campaign.id)


def test_a_start_that_fails_keeps_no_other_from_starting(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    brand = make_brand(session)
    broken, sound = make_campaign(session, brand), make_campaign(session, brand, name="Sound")
    for campaign in (broken, sound):
        services.schedule(session, campaign, BEFORE, "user:1")

    def refuse(_session: Session, fact: Any) -> None:
        if fact.campaign.name != "Sound":
            raise RuntimeError("no such board")

    monkeypatch.setattr("amplify.core.events._reactions", {CampaignStarted: (refuse,)})
    assert services.start_due(session, START) == [sound]
    session.refresh(broken)
    assert (broken.state, broken.occurrence) == ("scheduled", 0)
