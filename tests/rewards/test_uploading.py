"""Filling a pool: safe to repeat, and what is not taken is told by line."""

import pytest
from sqlalchemy.orm import Session

from amplify.core.errors import Conflict, Invalid, Malformed
from amplify.rewards import services, uploading
from amplify.rewards.models import Reward
from amplify.rewards.types import type_of
from amplify.rewards.uploading import upload_codes
from tests.campaigns.making import make_campaign
from tests.rewards.making import REWARD_TEXTS, make_brand, reward_in


@pytest.fixture
def pool(session: Session) -> Reward:
    campaign = make_campaign(session, make_brand(session), texts=REWARD_TEXTS)
    return services.attach(session, campaign, reward_in(type="code_pool", settings={}), "user:1")


def free(session: Session, reward: Reward) -> int:
    return type_of(reward.type).available(session, reward) or 0


def test_codes_are_trimmed_and_a_header_and_empty_lines_are_passed_over(session: Session, pool: Reward) -> None:
    done = upload_codes(session, pool, ["\ufeffCode,note\n", "  AB-1  ,x\n", "\n", '"AB,2"\n', " \n"])
    assert (done.added, done.known, done.refused) == (2, 0, 0)
    assert set(type_of(pool.type).reserve(session, pool, range(1, 10))) == {"AB-1", "AB,2"}


def test_a_repeated_upload_adds_nothing(session: Session, pool: Reward) -> None:
    lines = [f"C{i}" for i in range(50)]
    upload_codes(session, pool, lines)
    again = upload_codes(session, pool, [*lines, "C50"])
    assert (again.added, again.known, again.refused) == (1, 50, 0)
    assert free(session, pool) == 51


def test_duplicates_and_what_is_too_long_are_told_by_line(session: Session, pool: Reward) -> None:
    done = upload_codes(session, pool, ["A", "B", "A", "x" * 101, "\x07bell", "C"])
    assert done.added == 3
    assert [(p.line, p.rule) for p in done.problems] == [(3, "duplicate-in-file"), (4, "length"), (5, "printable")]
    assert all(str(problem.message) for problem in done.problems)


def test_a_duplicate_far_down_the_file_is_found(
    session: Session, pool: Reward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "BATCH", 10)
    batches: list[int] = []
    lines = [f"C{i}" for i in range(35)]
    done = upload_codes(session, pool, [*lines, "C3"], after_batch=lambda: batches.append(1))
    assert (done.added, done.known, len(batches)) == (35, 0, 4)
    assert [(p.line, p.rule, p.value) for p in done.problems] == [(36, "duplicate-in-file", "C3")]


def test_another_rewards_code_is_not_taken(session: Session, pool: Reward) -> None:
    brand = pool.campaign.brand_id
    upload_codes(session, pool, ["SAME"])
    from amplify.brands.models import Brand

    campaign = make_campaign(session, session.get_one(Brand, brand), texts=REWARD_TEXTS)
    other = services.attach(session, campaign, reward_in(type="code_pool", settings={}), "user:1")
    done = upload_codes(session, other, ["SAME", "OWN"])
    assert (done.added, [p.rule for p in done.problems]) == (1, ["taken-elsewhere"])


def test_codes_and_patterns_of_one_brand_never_meet(session: Session, pool: Reward) -> None:
    from amplify.brands.models import Brand

    brand = session.get_one(Brand, pool.brand_id)
    second = make_campaign(session, brand, texts=REWARD_TEXTS)
    services.attach(session, second, reward_in(settings={"pattern": "A-########"}), "user:1")
    done = upload_codes(session, pool, ["A-23456789", "A-01234567", "B-AAAAAAAA"])
    assert [(p.value, p.rule) for p in done.problems] == [("A-23456789", "code-of-a-pattern")]
    third = make_campaign(session, brand, texts=REWARD_TEXTS)
    for clashing in ("B-########", "#-########"):
        with pytest.raises(Invalid) as refused:
            services.attach(session, third, reward_in(settings={"pattern": clashing}), "user:1")
        assert refused.value.rule == "pattern-overlaps"
        session.expire_all()


def test_many_problems_are_counted_and_the_first_thousand_told(session: Session, pool: Reward) -> None:
    done = upload_codes(session, pool, ["x" * 101] * 1500)
    assert (done.refused, len(done.problems)) == (1500, 1000)


def test_what_is_no_csv_is_refused_by_line(session: Session, pool: Reward) -> None:
    with pytest.raises(Malformed) as refused:
        upload_codes(session, pool, ["A", "B\rC"])
    assert refused.value.rule == "csv"


def test_a_type_without_a_pool_takes_no_codes(session: Session) -> None:
    campaign = make_campaign(session, make_brand(session), texts=REWARD_TEXTS)
    made = services.attach(session, campaign, reward_in(), "user:1")
    with pytest.raises(Conflict):
        upload_codes(session, made, ["A"])
