"""The page on which an advocate reads what they got, what not, and why: for everybody, and without a code."""

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from amplify.brands.models import Brand
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core import jobs
from amplify.customers.models import Customer
from amplify.rewards import own
from amplify.rewards.eligibility import RULES
from amplify.rewards.models import Push
from amplify.rewards.states import STATES
from amplify.sharing.models import Advocate
from amplify.sharing.tokens import share_page_token
from tests.client import Client
from tests.rewards.making import (
    BEFORE,
    START,
    catch_up,
    earn,
    make_advocates,
    make_brand,
    make_milestone,
    make_rewarded,
    pushes_of,
)
from tests.sharing.making import SIGNER


@pytest.fixture
def brand(session: Session) -> Brand:
    return make_brand(session)


@pytest.fixture
def people(session: Session, brand: Brand) -> list[Advocate]:
    """Five, who began before any campaign; the second never agreed to mail."""
    made = make_advocates(session, brand, 5)
    for advocate in made:
        advocate.created_at = BEFORE
    session.get_one(Customer, made[1].customer_id).consent = None
    session.flush()
    return made


def start(session: Session, brand: Brand, top: int = 3, **more: object) -> Campaign:
    campaign = make_rewarded(session, brand, top, **more)  # type: ignore[arg-type]
    with time_machine.travel(START, tick=False):
        campaigns.start_due(session, START)
        jobs.drain(session)
    return campaign


def said(session: Session, advocate: Advocate) -> list[tuple[str, str]]:
    return [(one.state, str(one.reason)) for one in own.told(session, advocate)]


def test_everybody_is_told_who_was_chosen_who_was_left_out_and_whom_it_passed_by(
    session: Session, brand: Brand, people: list[Advocate]
) -> None:
    start(session, brand)
    assert said(session, people[0]) == [("earned", "")]
    assert said(session, people[1]) == [("left_out", "You had not agreed to be written to.")]
    (passed,) = own.told(session, people[4])
    assert (passed.state, passed.ranked, passed.most) == (own.NOT_CHOSEN, 5, 3)
    (given,) = own.told(session, people[2])
    assert (given.rank, given.ranked) == (3, 5)


def test_a_start_before_they_began_is_none_of_theirs(session: Session, brand: Brand, people: list[Advocate]) -> None:
    start(session, brand)
    people[4].created_at = START.replace(year=2031)
    session.flush()
    assert said(session, people[4]) == []


def test_who_was_kept_back_by_chance_reads_that_it_was_chance(session: Session, brand: Brand) -> None:
    people = make_advocates(session, brand, 40)  # of so many, half at random is never nobody
    for one in people:
        one.created_at = BEFORE
    campaign = make_rewarded(session, brand, 40)
    campaign.audience = {**campaign.audience, "holdout_percent": 50}
    campaigns.start_due(session, START)
    jobs.drain(session)
    got = {push.advocate_id for push in pushes_of(session, campaign)}
    kept = [one for one in people if one.id not in got]
    assert kept
    assert got
    assert all("Chance put you" in said(session, one)[0][1] for one in kept)


def test_the_steps_of_a_milestone_are_told_one_by_one(session: Session, brand: Brand, people: list[Advocate]) -> None:
    campaign = make_milestone(session, brand, at_least=1, times=3, codes=1)
    earn(session, campaign, people[0], 2)
    catch_up(session)
    told = sorted(own.told(session, people[0]), key=lambda one: one.step)
    assert [(one.step, one.state) for one in told] == [(1, "earned"), (2, "waiting")]
    assert said(session, people[2]) == []


def test_every_state_and_every_rule_has_words() -> None:
    assert set(own.STATES) == set(STATES)
    assert set(RULES) - set(own.REASONS) == {"erased"}  # who was erased has no page


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_page_says_it_in_their_language_and_shows_no_code(
    session: Session, brand: Brand, people: list[Advocate], client: Client, language: str
) -> None:
    campaign = start(session, brand)
    push = pushes_of(session, campaign)[0]
    address = f"/board/{share_page_token(SIGNER, people[0], None, campaign.id)}/rewards?lang={language}"
    answer = client.get(address)
    assert answer.headers["Cache-Control"] == "private, no-store"
    words = {"en": ("20 % off", "You get it; it is on its way."), "es": ("20 % menos", "Lo recibes; va de camino.")}
    assert all(word in answer.text for word in words[language])
    assert str(push.code) not in answer.text
    assert session.scalar(sa.select(sa.func.count(Push.id))) == 2


def test_a_page_that_is_nobodys_is_not_there(client: Client) -> None:
    assert client.get("/board/nonsense/rewards").status_code == 404
