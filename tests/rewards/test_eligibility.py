"""Who gets a reward and who does not: the dry run counts exactly what the start then writes, by every rule."""

from collections import Counter
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import exclusions
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import clock, jobs
from amplify.customers.models import Customer
from amplify.delivery.services import suppress
from amplify.rewards import planning, queries
from amplify.rewards.dry_run import dry_run, people
from amplify.rewards.holdout import is_held_out
from amplify.sharing.models import Advocate
from tests.rewards.making import (
    BEFORE,
    START,
    is_balanced,
    left_out_of,
    make_advocates,
    make_brand,
    make_rewarded,
    pushes_of,
)


def narrow(session: Session, campaign: Campaign, **audience: Any) -> Campaign:
    """The same campaign with more said about whom it rewards."""
    campaign.audience = {**campaign.audience, **audience}
    session.flush()
    return campaign


def start(session: Session, campaign: Campaign) -> None:
    with time_machine.travel(START, tick=False):
        assert campaign in campaigns.start_due(session, START)
        jobs.drain(session)


def rules_of(session: Session, campaign: Campaign) -> Counter[str]:
    return Counter(left_out_of(session, campaign).values())


def test_whoever_is_on_an_exclusion_list_gets_nothing(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 6)
    staff = exclusions.create(session, brand, "Staff", "user:1")
    exclusions.put_on(session, staff, ["p1@mail.example", "x4"], "user:1")
    campaign = narrow(session, make_rewarded(session, brand), exclude=[staff.id])
    start(session, campaign)
    assert left_out_of(session, campaign) == {2: "excluded", 5: "excluded"}


def test_whoever_was_rewarded_lately_rests_and_then_gets_one_again(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 4)
    first = make_rewarded(session, brand, top=2)
    start(session, first)
    pushes_of(session, first)[1].state = "cancelled"  # taken back: no reward
    second = narrow(session, make_rewarded(session, brand, top=4), not_rewarded_days=30)
    with time_machine.travel(START + timedelta(days=29), tick=False):
        assert dry_run(session, second).by_rule == {"rewarded-recently": 1}
    with time_machine.travel(START + timedelta(days=31), tick=False):
        assert dry_run(session, second).by_rule == {}
    start(session, second)
    assert left_out_of(session, second) == {1: "rewarded-recently"}


def test_a_chunk_is_not_kept_from_its_rewards_by_the_chunk_before(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "AT_ONCE", 2)
    monkeypatch.setattr(planning, "CHUNK", 2)
    brand = make_brand(session)
    make_advocates(session, brand, 6)
    campaign = narrow(session, make_rewarded(session, brand), not_rewarded_days=30)
    start(session, campaign)
    assert len(pushes_of(session, campaign)) == 6


def test_a_holdout_is_the_same_people_at_every_start_and_others_in_another_campaign(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 200)
    one, other = (narrow(session, make_rewarded(session, brand, 200), holdout_percent=30) for _ in "12")
    told = [{who.advocate_id for who in people(session, it) if who.rule} for it in (one, one, other)]
    assert told[0] == told[1] != told[2]
    start(session, one)
    held = [row.rank for row in queries.lines(session, one) if row.reason == "holdout"]
    assert len(held) == len(told[0]) == dry_run(session, one).by_rule["holdout"]
    assert rules_of(session, one) == {"holdout": len(held)}


def test_a_holdout_is_as_large_as_was_said(session: Session) -> None:
    brand = make_brand(session)
    campaign = narrow(session, make_rewarded(session, brand), holdout_percent=10)
    numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < 20_000))
    drawn = sa.select(sa.func.count()).select_from(numbers).where(is_held_out(campaign, numbers.c.n))
    assert 1_830 <= (session.scalar(drawn) or 0) <= 2_170  # 2,000, four standard deviations


def test_staff_read_why_somebody_of_the_holdout_got_nothing(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 40)
    campaign = narrow(session, make_rewarded(session, brand, 40), holdout_percent=50)
    start(session, campaign)
    rank = next(rank for rank, rule in left_out_of(session, campaign).items() if rule == "holdout")
    why = queries.why(session, campaign, f"p{rank - 1}@mail.example")
    assert why is not None
    assert [(line.state, line.reason) for line in why.lines] == [("left_out", "holdout")]


def test_the_dry_run_says_who_sleeps_and_what_each_day_costs(session: Session) -> None:
    brand = make_brand(session)  # in Berlin
    brand.quiet_from_hour, brand.quiet_until_hour = 21, 8
    for advocate, zone in zip(make_advocates(session, brand, 3), ("Europe/Berlin", None, "Asia/Tokyo"), strict=True):
        session.get_one(Customer, advocate.customer_id).timezone = zone
    campaign = make_rewarded(session, brand, top=3)
    with time_machine.travel(BEFORE.replace(hour=13), tick=False):  # 15 h in Berlin, 22 h in Tokyo
        told = dry_run(session, campaign)
    assert (told.getting, told.waiting, told.cost_minor) == (3, {"quiet-hours": 1}, 1500)
    assert told.cost_now_minor == 1000
    day = BEFORE.date()
    assert told.cost_by_day == {day: 1000, day + timedelta(days=1): 500}  # 8 h in Tokyo is 1 h in Berlin
    assert told.by_channel == {"email": 3}


NUMBERS = count()
people_of_a_brand = st.lists(
    st.sampled_from(["fine", "fine", "fine", "erased", "no-email", "no-consent", "suppressed", "excluded"]),
    min_size=1, max_size=14,
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fates=people_of_a_brand,
    codes=st.none() | st.integers(0, 12),
    cap=st.none() | st.integers(1, 12),
    budget=st.none() | st.integers(1, 12),
    holdout=st.sampled_from([0, 0, 30, 50]),
    audience=st.sampled_from([("top_n", 9), ("top_percent", 60), ("tier", 3), ("min_score", 3)]),
    at_least=st.integers(0, 5),
    chunk=st.integers(1, 15),
)
def test_what_the_dry_run_says_is_what_the_plan_does(
    session: Session, fates: list[str], codes: int | None, cap: int | None, budget: int | None, holdout: int,
    audience: tuple[str, int], at_least: int, chunk: int,
) -> None:  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "AT_ONCE", chunk)
        patch.setattr(planning, "CHUNK", chunk)
        brand = make_brand(session, f"brand-{next(NUMBERS)}")
        listed = exclusions.create(session, brand, "Staff", "user:1")
        for advocate, fate in zip(make_advocates(session, brand, len(fates)), fates, strict=True):
            befall(session, brand, advocate, fate)
        campaign = make_rewarded(
            session, brand, codes=codes, cap_pushes=cap, budget_minor=budget and budget * 500,
            rule={"trigger": "human_click", "at_least": at_least},
        )  # fmt: skip
        kind, value = audience
        narrow(session, campaign, kind=kind, value=value, holdout_percent=holdout, exclude=[listed.id])
        with time_machine.travel(START, tick=False):
            told, named = dry_run(session, campaign), list(people(session, campaign))
        start(session, campaign)
        given_to = [push.rank for push in pushes_of(session, campaign)]
        assert [one.rank for one in named if one.rule is None] == given_to
        assert {one.rank: one.rule for one in named if one.rule} == left_out_of(session, campaign)
        assert (told.getting, told.by_rule) == (len(given_to), rules_of(session, campaign))
        assert told.by_language == Counter(push.locale for push in pushes_of(session, campaign))
        assert told.cost_minor == sum(push.amount_minor for push in pushes_of(session, campaign))
        assert is_balanced(session, campaign)


def befall(session: Session, brand: Brand, advocate: Advocate, fate: str) -> None:
    customer = session.get_one(Customer, advocate.customer_id)
    if fate == "suppressed":
        suppress(session, brand.id, customer.email or "", "unsubscribed")
    elif fate == "excluded":
        exclusions.put_on(session, exclusions.named(session, brand.id, "Staff"), [customer.email or ""], "user:1")
    else:
        changed: dict[str, dict[str, Any]] = {
            "erased": {"erased_at": clock.now()},
            "no-email": {"email": None},
            "no-consent": {"consent": False},
        }
        for name, value in changed.get(fate, {}).items():
            setattr(customer, name, value)
    session.flush()
