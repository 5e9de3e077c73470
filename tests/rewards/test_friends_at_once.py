"""Many questions at once and processes that die: one reward for each friend, never more than there is."""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from amplify.brands.models import Brand
from amplify.campaigns.models import Campaign
from amplify.core.failpoints import EXIT_CODE
from amplify.rewards.friends.asking import Answer
from amplify.rewards.giving import Unsettled
from amplify.rewards.models import Friend, Push, RewardCode, Tally
from tests.rewards.befriending import asked, friends_balance, friends_pushes, link_of, make_befriending, visit
from tests.rewards.conftest import Sessions
from tests.rewards.making import make_advocates, make_brand
from tests.rewards.test_concurrency import WRITERS, at_once
from tests.world import a_key

PLACES = ("friend-before-commit", "friend-after-commit:2", "friend-before-commit:3", "friend-after-commit:9")


def prepared(sessions: Sessions, visitors: int, **friend: Any) -> tuple[int, int, list[uuid.UUID], str]:
    """Brand, campaign, a judged visit of each visitor through one of two links, and an API key."""
    with sessions() as session, session.begin():
        brand = make_brand(session)
        advocates = make_advocates(session, brand, 2)
        campaign = make_befriending(session, brand, **friend)
        links = [link_of(session, campaign, advocate) for advocate in advocates]
        tokens = [visit(session, links[number % 2], number) for number in range(visitors)]
        key = a_key(session, brand, "rewards:write")["Authorization"]
        return brand.id, campaign.id, tokens, key


def answer(sessions: Sessions, brand_id: int, token: uuid.UUID) -> Answer:
    """Asked until it is answered: a shop, too, comes again when the database is busy."""
    while True:
        try:
            with sessions() as session, session.begin():
                return asked(session, session.get_one(Brand, brand_id), token)
        except Unsettled:
            continue
        except OperationalError as error:
            if "database is locked" not in str(error):
                raise


@pytest.mark.parametrize("kind", ["code_pool", "generated_code"])
def test_sixteen_who_ask_for_one_friend_get_one_code(sessions: Sessions, kind: str) -> None:
    more: dict[str, Any] = {"codes": 5} if kind == "code_pool" else {}
    brand_id, campaign_id, (token,), _key = prepared(sessions, 1, **more)
    answers = at_once(WRITERS, lambda _number: answer(sessions, brand_id, token))
    codes = {one.push.code for one in answers if isinstance(one, Answer) and one.push}
    assert len(codes) == 1
    assert sum(one.is_new for one in answers if isinstance(one, Answer)) == 1
    with sessions() as session:
        assert session.scalar(sa.select(sa.func.count(Push.id))) == 1
        assert friends_balance(session, session.get_one(Campaign, campaign_id))


@pytest.mark.parametrize(
    ("more", "rule"),
    [({"codes": 7}, "no-code"), ({"budget_minor": 7 * 300 + 299}, "over-budget"), ({"cap_day": 7}, "cap")],
)
def test_sixteen_who_ask_for_many_friends_never_give_more_than_there_is(
    sessions: Sessions, more: dict[str, Any], rule: str
) -> None:
    brand_id, campaign_id, tokens, _key = prepared(sessions, 12, **more)

    def shop(number: int) -> list[str]:
        turned = tokens[number % 12 :] + tokens[: number % 12]
        return [answer(sessions, brand_id, token).rule for token in turned[:6]]

    rules = {told for each in at_once(WRITERS, shop) for told in each}  # type: ignore[attr-defined]
    assert rules == {"", rule}
    with sessions() as session:
        campaign = session.get_one(Campaign, campaign_id)
        pushes = friends_pushes(session, campaign)
        assert len(pushes) == len({push.code for push in pushes}) == len({push.rank for push in pushes}) == 7
        assert session.scalar(sa.select(sa.func.count(Friend.id))) == 12
        assert session.scalar(sa.select(sa.func.count(Friend.push_id.distinct()))) == 7
        taken = session.scalars(sa.select(RewardCode.push_id).where(RewardCode.push_id.is_not(None))).all()
        assert len(taken) == (7 if "codes" in more else 0)
        assert session.scalar(sa.select(Tally.n).where(Tally.scope == "total")) == 7
        assert friends_balance(session, campaign)


def test_a_shop_killed_at_every_place_leaves_one_code_for_each_friend(
    sessions: Sessions, own_database: str, tmp_path: Path
) -> None:
    brand_id, campaign_id, tokens, key = prepared(sessions, 12, codes=12, budget_minor=12 * 300)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AMPLIFY_")}
    command = [sys.executable, "-m", "tests.rewards.asking_process", own_database, str(tmp_path), key]
    for place in (*PLACES, ""):
        environ = {**kept, "AMPLIFY_ENV": "test"} | ({"AMPLIFY_FAILPOINT": place} if place else {})
        died = subprocess.run(command, env=environ, timeout=120, check=False)  # noqa: S603
        assert died.returncode == (EXIT_CODE if place else 0), place
        with sessions() as session:
            assert friends_balance(session, session.get_one(Campaign, campaign_id)), place
    with sessions() as session:
        pushes = friends_pushes(session, session.get_one(Campaign, campaign_id))
        assert len(pushes) == len({push.code for push in pushes}) == 12
        assert {push.state for push in pushes} == {"sent"}
    assert not any(answer(sessions, brand_id, token).is_new for token in tokens)
