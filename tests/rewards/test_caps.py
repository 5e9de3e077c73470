"""Caps for all starts, for a day and for a person hold, whoever plans meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.leaderboards.models import Snapshot
from amplify.rewards import caps, planning, services
from amplify.rewards.dry_run import dry_run
from amplify.rewards.giving import Unsettled
from amplify.rewards.models import Push, Reward, Tally
from amplify.rewards.planning import plan
from tests.rewards.conftest import Sessions
from tests.rewards.making import (
    START,
    is_balanced,
    left_out_of,
    make_advocates,
    make_brand,
    make_rewarded,
    pushes_of,
    reward_of,
)
from tests.rewards.test_concurrency import WRITERS, at_once

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("cap", ["cap_total", "cap_day"])
def test_who_comes_after_the_cap_is_left_out_by_rule(session: Session, cap: str) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 5)
    campaign = make_rewarded(session, brand, **{cap: 3})
    assert dry_run(session, campaign).by_rule == {"cap": 2}
    campaigns.start_due(session, START)
    assert [push.rank for push in pushes_of(session, campaign)] == [1, 2, 3]
    assert left_out_of(session, campaign) == {4: "cap", 5: "cap"}


def test_who_has_had_their_share_is_left_out_by_rule(session: Session) -> None:
    brand = make_brand(session)
    advocates = make_advocates(session, brand, 3)
    campaign = make_rewarded(session, brand, cap_person=1)
    assert caps.take(session, reward_of(session, campaign), [advocates[0].id], NOON)
    assert dry_run(session, campaign).by_rule == {"cap-person": 1}
    campaigns.start_due(session, START)
    assert left_out_of(session, campaign) == {1: "cap-person"}


def test_a_day_is_the_campaigns_own(session: Session) -> None:
    campaign = make_rewarded(session, make_brand(session), cap_day=1)
    campaign.timezone = "Pacific/Auckland"
    reward = reward_of(session, campaign)
    late = datetime(2030, 6, 1, 11, 59, tzinfo=UTC)  # 23:59 over there
    assert caps.take(session, reward, [1], late)
    assert not caps.take(session, reward, [2], late)
    assert caps.room(session, reward, late) == 0
    assert caps.take(session, reward, [2], late + timedelta(minutes=1))


def test_no_caps_are_no_limit(session: Session) -> None:
    reward = reward_of(session, make_rewarded(session, make_brand(session)))
    assert caps.room(session, reward, NOON) is None
    assert caps.take(session, reward, list(range(1, 50)), NOON)


@pytest.mark.parametrize("limits", [{"cap_total": 40}, {"cap_day": 40}, {"cap_person": 2}])
def test_a_cap_holds_against_sixteen_writers_without_any_other_lock(sessions: Sessions, limits: dict[str, Any]) -> None:
    people = list(range(1, 21))
    with sessions() as session, session.begin():
        campaign = make_rewarded(session, make_brand(session), **limits)
        reward_id = services.reward_of(session, campaign).id  # type: ignore[union-attr]

    def writer(number: int) -> list[int]:
        taken: list[int] = []
        for step in range(12):
            some = sorted({people[(number + step * k) % 20] for k in range(1 + step % 3)})
            with sessions() as session:
                if caps.take(session, session.get_one(Reward, reward_id), some, NOON):
                    session.commit()
                    taken += some
                else:
                    session.rollback()
        return taken

    taken = [one for found in at_once(WRITERS, writer) for one in found]  # type: ignore[attr-defined]
    with sessions() as session:
        counted = {row.scope: row.n for row in session.scalars(sa.select(Tally))}
    assert counted["total"] == len(taken)
    if "cap_person" in limits:
        assert max(taken.count(one) for one in people) == 2
        assert all(counted[caps.person_of(one)] == taken.count(one) for one in set(taken))
    else:
        assert 38 <= len(taken) <= 40


def test_sixteen_planners_never_pass_budget_or_caps(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "AT_ONCE", 0)
    people, most = 200, 90
    with sessions() as session, session.begin():
        brand = make_brand(session)
        make_advocates(session, brand, people)
        campaign = make_rewarded(
            session, brand, top=people, budget_minor=500 * 120, cap_day=most, cap_total=most + 5, cap_person=1
        )
        campaigns.start_due(session, START)
        campaign_id, snapshot_id = campaign.id, session.scalars(sa.select(Snapshot.id)).one()

    def planner(number: int) -> int:
        planned = 0
        while True:
            try:
                with sessions() as session, session.begin():
                    campaign = session.get_one(Campaign, campaign_id)
                    done = plan(session, campaign, session.get_one(Snapshot, snapshot_id), 5 + number)
            except Unsettled:
                continue
            if done == 0:
                return planned
            planned += done

    assert sum(int(str(planned)) for planned in at_once(WRITERS, planner)) == people
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count(Push.id))) == most
        assert session.scalar(sa.select(Tally.n).where(Tally.scope == "total")) == most
        assert is_balanced(session, session.get_one(Campaign, campaign_id))
