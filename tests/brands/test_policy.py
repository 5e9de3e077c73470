"""A brand's rules hold together, or nothing changes."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from amplify.brands.events import ScoringChanged
from amplify.brands.policy import change_policy
from amplify.core import events
from amplify.core.errors import Invalid
from tests.world import a_brand


@pytest.fixture
def told() -> Iterator[list[ScoringChanged]]:
    """What was published, with nobody else listening."""
    before = dict(events._reactions)
    heard: list[ScoringChanged] = []
    events.wire({ScoringChanged: [lambda _session, fact: heard.append(fact)]})
    yield heard
    events.wire(before)


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("promoter_min", 11, "promoter_min"),
        ("promoter_min", 6, "promoter_min"),
        ("half_life_days", 0, "half_life_days"),
        ("quiet_from_hour", 24, "quiet_from_hour"),
        ("ask_every_days", 0, "ask_every_days"),
        ("name", "", "name"),
        ("timezone", "Nowhere", "timezone"),
        ("default_locale", "de", "default_locale"),
        ("theme", {"accent": "red"}, "theme.accent"),
        ("theme", {"accent": "#0b6bcb;}"}, "theme.accent"),
        ("theme", {"logo_url": "javascript:alert(1)"}, "theme.logo_url"),
        ("target_hosts", ["https://shop.example"], "target_hosts"),
        ("target_hosts", ["shop.example/path"], "target_hosts"),
        ("target_hosts", ["shop..example"], "target_hosts"),
        ("target_hosts", ["user@shop.example"], "target_hosts"),
        ("target_hosts", ["x" * 64 + ".example"], "target_hosts"),
        ("weights", {"share": 1000}, "weights.share"),
        ("weights", {"like": 1000}, "weights.like"),
        ("weights", {"human_click": -1}, "weights.human_click"),
        ("suggestions", {"en": ["x" * 281]}, "suggestions.en"),
        ("suggestions", {"de": ["Hallo"]}, "suggestions.de"),
        ("privacy_url", "http://acme.example", "privacy_url"),
        ("keep_clicks_days", 0, "keep_clicks_days"),
    ],
)
def test_a_value_that_breaks_a_rule_changes_nothing(session: Session, column: str, value: Any, field: str) -> None:
    brand = a_brand(session)
    before = getattr(brand, column)
    with pytest.raises(Invalid) as refused:
        change_policy(session, brand, {"quiet_until_hour": 9, column: value})
    assert refused.value.field == field
    assert getattr(brand, column) == before
    assert brand.quiet_until_hour == 0


def test_hosts_are_kept_as_browsers_send_them(session: Session) -> None:
    brand = a_brand(session)
    change_policy(session, brand, {"target_hosts": ["Shop.Example", "münchen.example", "shop.example", ""]})
    assert brand.target_hosts == ["shop.example", "xn--mnchen-3ya.example"]


def test_what_really_changed_is_reported(session: Session) -> None:
    brand = a_brand(session)
    assert change_policy(session, brand, {"name": "Acme"}) == {}
    assert change_policy(session, brand, {"ask_every_days": 60}) == {"ask_every_days": [30, 60]}


def test_new_weights_and_half_life_are_told_to_the_ranking(session: Session, told: list[ScoringChanged]) -> None:
    brand = a_brand(session)
    change_policy(session, brand, {"ask_every_days": 60})
    assert told == []
    change_policy(session, brand, {"half_life_days": 14.0})
    change_policy(session, brand, {"weights": {"conversion": 30_000}})
    assert [fact.brand for fact in told] == [brand, brand]
    assert brand.weights == {"human_click": 1_000, "share_confirmed": 2_000, "conversion": 30_000}
