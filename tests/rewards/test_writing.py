"""A copy of a campaign says what the first one says, and has nothing of what became of it."""

import pytest
import sqlalchemy as sa
import time_machine
from sqlalchemy.orm import Session

from amplify.accounts.models import AuditEntry
from amplify.campaigns import services as campaigns
from amplify.campaigns.models import Campaign
from amplify.core.errors import Conflict
from amplify.rewards import writing
from amplify.rewards.models import Reward
from tests.campaigns.making import TEXTS
from tests.rewards.making import START, make_advocates, make_brand, make_rewarded, pushes_of, reward_of

WEEKLY = {"kind": "weekly", "weekdays": [5]}


def columns_of(row: Campaign | Reward) -> dict[str, object]:
    return {column.key: getattr(row, column.key) for column in type(row).__mapper__.column_attrs}


def test_a_copy_is_a_draft_with_everything_but_state_times_and_pushes(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 4)
    first = make_rewarded(session, brand, top=3, budget_minor=5000, cap_pushes=2)
    first.repeats = WEEKLY
    campaigns.start_due(session, START)
    copy = writing.clone(session, first, "user:2")
    differs = {name for name, value in columns_of(copy).items() if value != getattr(first, name)}
    assert differs <= writing.OWN | {"name"}
    assert (copy.name, copy.state, copy.created_by) == ("Top 3 (copy)", "draft", "user:2")
    assert (copy.starts_local, copy.starts_at, copy.next_at, copy.occurrence) == ("", None, None, 0)
    assert (copy.repeats, copy.is_rewarded, copy.audience) == (WEEKLY, True, first.audience)
    assert pushes_of(session, copy) == []
    given = {
        name
        for name, value in columns_of(reward_of(session, copy)).items()
        if value != getattr(reward_of(session, first), name)
    }
    assert given <= writing.OWN_OF_REWARD
    assert reward_of(session, copy).spent_minor == 0
    created = sa.select(AuditEntry.detail).where(AuditEntry.subject_id == str(copy.id))
    assert session.scalars(created).all() == [{"copy_of": first.id}]


def test_a_copy_can_be_started_and_its_codes_are_others(session: Session) -> None:
    brand = make_brand(session)
    make_advocates(session, brand, 3)
    first = make_rewarded(session, brand)
    campaigns.start_due(session, START)
    copy = writing.clone(session, first, "user:2", "Autumn")
    campaigns.start_now(session, copy, START, "user:2")
    codes = [push.code for campaign in (first, copy) for push in pushes_of(session, campaign)]
    assert (copy.name, len(codes), len(set(codes))) == ("Autumn", 6, 6)


def test_an_end_is_kept_while_it_lies_ahead(session: Session) -> None:
    first = make_rewarded(session, make_brand(session), expires_on="2030-12-31")
    first.ends_local, first.ends_at = "2030-07-01T09:00", START.replace(month=7)
    with time_machine.travel(START, tick=False):
        early = writing.clone(session, first, "user:2")
    with time_machine.travel(START.replace(year=2031), tick=False):
        late = writing.clone(session, first, "user:2")
    assert (early.ends_local, late.ends_local, late.ends_at) == ("2030-07-01T09:00", "", None)
    assert reward_of(session, early).expires_at == reward_of(session, first).expires_at
    assert reward_of(session, late).expires_at is None


def test_the_always_on_campaign_has_no_copy(session: Session) -> None:
    only = campaigns.ensure_always_on(session, make_brand(session), "https://shop.example/", TEXTS)
    with pytest.raises(Conflict):
        writing.clone(session, only, "user:2")
