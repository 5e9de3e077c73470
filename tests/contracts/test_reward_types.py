"""What every reward type must keep; a new file in rewards/types is tested without being named here."""

import pytest
from sqlalchemy.orm import Session

from amplify.campaigns import services as campaigns
from amplify.core.errors import Invalid
from amplify.rewards import services
from amplify.rewards.models import Reward
from amplify.rewards.types import registry, type_of
from amplify.rewards.uploading import upload_codes
from tests.campaigns.making import make_campaign
from tests.rewards.making import BEFORE, REWARD_TEXTS, make_advocates, make_brand, pushes_of, reward_in

TYPES = sorted(registry())


@pytest.fixture(params=TYPES)
def reward(request: pytest.FixtureRequest, session: Session) -> Reward:
    """A reward of the type with its example settings, and 20 codes if it takes uploads."""
    brand = make_brand(session)
    make_advocates(session, brand, 10)
    campaign = make_campaign(session, brand, texts=REWARD_TEXTS)
    settings = dict(type_of(request.param).example)
    made = services.attach(session, campaign, reward_in(type=request.param, settings=settings), "user:1")
    if type_of(made.type).takes_upload:
        upload_codes(session, made, [f"UP-{i}" for i in range(20)])
    return made


@pytest.mark.parametrize("name", TYPES)
def test_a_type_says_what_it_is(name: str) -> None:
    kind = type_of(name)
    assert kind.name == name == name.lower()
    assert str(kind.label)
    assert str(kind.hint)
    assert kind.icon


def test_a_type_gives_each_code_once(session: Session, reward: Reward) -> None:
    kind = type_of(reward.type)
    before = kind.available(session, reward)
    codes = kind.reserve(session, reward, range(1, 8))
    assert len(codes) == 7
    if not kind.gives_codes:
        assert set(codes) == {""}
        return
    assert len(set(codes)) == 7
    assert before is not None
    assert all(0 < len(code) <= 100 and code == code.strip() and code.isprintable() for code in codes)
    assert kind.available(session, reward) in (before, before - 7)  # taken when reserved, or when settled


def test_a_start_gives_everybody_a_code_of_their_own_and_settles_it_once(session: Session, reward: Reward) -> None:
    campaigns.start_now(session, reward.campaign, BEFORE, "user:1")
    kind, pushes = type_of(reward.type), pushes_of(session, reward.campaign)
    codes = [push.code for push in pushes if push.code]
    assert len(pushes) == 10
    assert len(codes) == len(set(codes)) == (10 if kind.gives_codes else 0)
    assert not set(codes) & set(kind.reserve(session, reward, range(1_001, 1_006)))
    if kind.takes_upload:
        given = {push.id: str(push.code) for push in pushes_of(session, reward.campaign)}
        assert kind.settle(session, reward, given) == 0


def test_a_type_knows_who_has_its_code_and_claims_no_other(session: Session, reward: Reward) -> None:
    campaigns.start_now(session, reward.campaign, BEFORE, "user:1")
    kind = type_of(reward.type)
    for push in pushes_of(session, reward.campaign):
        assert kind.owner(session, reward.brand_id, str(push.code)) == (push.id if kind.gives_codes else None)
    assert kind.owner(session, reward.brand_id, kind.sample(reward)) is None
    assert kind.owner(session, reward.brand_id, "") is None


def test_a_type_never_gives_more_than_it_has(session: Session, reward: Reward) -> None:
    kind = type_of(reward.type)
    available = kind.available(session, reward)
    most = 1000 if available is None else available
    assert len(kind.reserve(session, reward, range(1, min(most, 1000) + 6))) <= (available or 1005)
    assert kind.reserve(session, reward, []) == []


def test_a_sample_is_no_code(session: Session, reward: Reward) -> None:
    kind = type_of(reward.type)
    assert bool(kind.sample(reward)) == kind.gives_codes
    assert kind.sample(reward) not in filter(None, kind.reserve(session, reward, range(1, 21)))


@pytest.mark.parametrize("name", TYPES)
def test_a_type_refuses_settings_it_does_not_know(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        type_of(name).read_settings({**type_of(name).example, "no_such": 1})
    assert refused.value.field == "settings.no_such"


@pytest.mark.parametrize("name", [name for name in TYPES if type_of(name).provider])
def test_a_provider_says_what_it_asks_for_and_where_it_is_tried_out(name: str) -> None:
    provider = type_of(name).provider
    assert provider is not None
    assert provider.name == name
    assert provider.address.startswith("https://")
    assert any(key.is_secret for key in provider.keys)
    assert all(key.name.isidentifier() and str(key.label) for key in provider.keys)


def test_a_type_nobody_provides_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        type_of("moon_rock")
    assert refused.value.rule == "type-known"
